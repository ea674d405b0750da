// Pages of which a command writes parts: between `<!-- NAME: made by npm run … -->` and `<!-- end -->`.

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

/** Puts each part into its place. Throws where a page has no such place. */
export function withParts(page: string, parts: Readonly<Record<string, string>>): string {
  return Object.entries(parts).reduce((text, [name, part]) => {
    const place = new RegExp(`(<!-- ${name}: [^>]*-->\n)[\\s\\S]*?(<!-- end -->)`);
    if (!place.test(text)) throw new Error(`the page has no place for ${name}`);
    return text.replace(place, (_, begin: string, end: string) => `${begin}\n${part}\n\n${end}`);
  }, page);
}

/** A number of users: `100 M`. */
export function people(users: number): string {
  if (users >= 1e9) return `${Number((users / 1e9).toPrecision(2)).toLocaleString("en-US")} billion`;
  if (users >= 1e6) return `${Number((users / 1e6).toPrecision(2)).toLocaleString("en-US")} million`;
  return Math.round(users).toLocaleString("en-US");
}

/** Two digits that count; thousands set apart. */
export function figure(value: number): string {
  const short = Number(value.toPrecision(2));
  if (short !== 0 && Math.abs(short) < 0.001) return "< 0.001";
  return short.toLocaleString("en-US", { maximumFractionDigits: 6 });
}

export function bytes(value: number): string {
  const [unit, size] = value >= 1e9 ? ["GB", 1e9] : value >= 1e6 ? ["MB", 1e6] : ["kB", 1e3];
  return `${figure(value / Number(size))} ${unit}`;
}
