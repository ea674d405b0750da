// A chart as SVG: lines over two logarithmic axes, told apart by their dashes and their names, not by colour.

export interface Line {
  name: string;
  points: readonly (readonly [x: number, y: number])[];
}

export interface Chart {
  title: string;
  xName: string;
  yName: string;
  /** Labelled values of the axes; the first and the last are their ends. */
  x: readonly (readonly [value: number, label: string])[];
  y: readonly (readonly [value: number, label: string])[];
  /** A level that must not be crossed. */
  limit: { y: number; name: string };
  lines: readonly Line[];
}

const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [760, 440, 80, 560, 50, 380];
const DASHES = ["none", "8 4", "2 4", "12 4 2 4"];

export function svgOf({ title, xName, yName, x, y, limit, lines }: Chart): string {
  const scale = (ticks: Chart["x"], from: number, to: number) => {
    const [first, last] = [ticks.at(0)?.[0] ?? 1, ticks.at(-1)?.[0] ?? 10].map(Math.log) as [number, number];
    return (value: number) => Math.round(from + ((Math.log(value) - first) / (last - first)) * (to - from));
  };
  const [atX, atY] = [scale(x, LEFT, RIGHT), scale(y, BOTTOM, TOP)];
  const text = (left: number, top: number, anchor: string, content: string) =>
    `  <text x="${left}" y="${top}" text-anchor="${anchor}">${content}</text>`;
  const ends = lines.map(({ name, points }) => ({ name, top: atY(points.at(-1)?.[1] ?? 1) }));
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" font-family="sans-serif" font-size="13">`,
    `  <title>${title}</title>`,
    `  <rect width="${WIDTH}" height="${HEIGHT}" fill="white"/>`,
    text(LEFT, 24, "start", title),
    text((LEFT + RIGHT) / 2, HEIGHT - 12, "middle", xName),
    `  <text transform="translate(18 ${(TOP + BOTTOM) / 2}) rotate(-90)" text-anchor="middle">${yName}</text>`,
    ...x.flatMap(([value, label]) => [
      `  <path d="M${atX(value)} ${TOP}V${BOTTOM}" stroke="#ddd"/>`,
      text(atX(value), BOTTOM + 20, "middle", label),
    ]),
    ...y.flatMap(([value, label]) => [
      `  <path d="M${LEFT} ${atY(value)}H${RIGHT}" stroke="#ddd"/>`,
      text(LEFT - 8, atY(value) + 4, "end", label),
    ]),
    `  <path d="M${LEFT} ${atY(limit.y)}H${RIGHT}" stroke="black" stroke-width="3"/>`,
    text(LEFT + 8, atY(limit.y) - 8, "start", limit.name),
    ...lines.flatMap(({ points }, i) => [
      `  <polyline points="${points.map(([left, top]) => `${atX(left)},${atY(top)}`).join(" ")}" fill="none" stroke="black" stroke-width="2" stroke-dasharray="${DASHES[i % DASHES.length]}"/>`,
    ]),
    ...apart(ends).map(({ name, top }) => text(RIGHT + 8, top + 4, "start", name)),
    "</svg>",
  ].join("\n")}\n`;
}

const LABEL_HEIGHT = 16;

/** Names at the ends of lines, moved down where they would stand on each other. */
function apart<T extends { top: number }>(labels: readonly T[]): T[] {
  let last = Number.NEGATIVE_INFINITY;
  return labels
    .toSorted((a, b) => a.top - b.top)
    .map((label) => {
      last = Math.max(label.top, last + LABEL_HEIGHT);
      return { ...label, top: last };
    });
}
