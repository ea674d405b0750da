// What a command prints: its result on stdout, for people or as one JSON document; its progress on stderr.

/** Nothing is said of what takes less. */
const SILENT_MS = 2_000;
/** How often the line of a terminal is drawn again, and how often a log gets a line. */
const TERMINAL_EVERY_MS = 200;
const LOG_EVERY_MS = 10_000;

/** Where lines go. */
export interface Sink {
  write(text: string): unknown;
  isTTY?: boolean;
}

export class Output {
  readonly isJson: boolean;
  readonly #out: Sink;
  readonly #progress: Sink;
  readonly #now: () => number;

  /** The streams and the clock are those of the process unless a test says otherwise. */
  constructor(isJson: boolean, streams: { out?: Sink; progress?: Sink; now?: () => number } = {}) {
    this.isJson = isJson;
    this.#out = streams.out ?? process.stdout;
    this.#progress = streams.progress ?? process.stderr;
    this.#now = streams.now ?? (() => performance.now());
  }

  /** A line for people: on stdout, or on stderr where stdout is JSON. */
  say(line: string): void {
    (this.isJson ? this.#progress : this.#out).write(`${line}\n`);
  }

  /** A line about the way, not the result: on stderr. */
  note(line: string): void {
    this.#progress.write(`${line}\n`);
  }

  /** The result: `value` as JSON, or what `forPeople` says. */
  result(value: unknown, forPeople: () => void): void {
    if (this.isJson) this.#out.write(`${JSON.stringify(value, null, 2)}\n`);
    else forPeople();
  }

  /** Progress towards `total` of something. End it: on a terminal it holds a line. */
  progress(label: string, total: number): Progress {
    return new Progress(label, total, this.#progress, this.#now);
  }

  /** Says what is waited for, if it takes long. */
  async during<T>(label: string, work: Promise<T>): Promise<T> {
    const timer = setTimeout(() => this.#progress.write(`${label} …\n`), SILENT_MS);
    try {
      return await work;
    } finally {
      clearTimeout(timer);
    }
  }
}

/** How far something is: one line that is drawn again on a terminal, a line now and then in a log. */
export class Progress {
  readonly #label: string;
  readonly #total: number;
  readonly #sink: Sink;
  readonly #now: () => number;
  readonly #startedAt: number;
  #saidAt: number;
  #holdsLine = false;

  constructor(label: string, total: number, sink: Sink, now: () => number) {
    this.#label = label;
    this.#total = total;
    this.#sink = sink;
    this.#now = now;
    this.#startedAt = now();
    this.#saidAt = Number.NEGATIVE_INFINITY;
  }

  /** `done` of the total are done; `note` is shown behind it. */
  at(done: number, note = ""): void {
    const now = this.#now();
    const isTerminal = this.#sink.isTTY === true;
    if (now - this.#startedAt < SILENT_MS) return;
    if (now - this.#saidAt < (isTerminal ? TERMINAL_EVERY_MS : LOG_EVERY_MS)) return;
    this.#saidAt = now;
    const line = this.#line(done, now, note);
    // Erases what is left of a longer line before it.
    this.#sink.write(isTerminal ? `\r\u001b[K${line}` : `${line}\n`);
    this.#holdsLine = isTerminal;
  }

  /** Takes the line away, so that what follows stands alone. */
  end(): void {
    if (this.#holdsLine) this.#sink.write("\r\u001b[K");
    this.#holdsLine = false;
  }

  #line(done: number, now: number, note: string): string {
    const seconds = (now - this.#startedAt) / 1000;
    const perSecond = done / seconds;
    // The total is a guess where only the whole work tells it.
    if (done > this.#total) return `${this.#label}: ${rounded(done)}, ${rounded(perSecond)} per second${behind(note)}`;
    const left = perSecond > 0 ? `, about ${duration((this.#total - done) / perSecond)} left` : "";
    const percent = Math.floor((100 * done) / Math.max(1, this.#total));
    const figures = `${rounded(done)} of ${rounded(this.#total)} (${percent} %), ${rounded(perSecond)} per second${left}`;
    return `${this.#label}: ${figures}${behind(note)}`;
  }
}

function behind(note: string): string {
  return note === "" ? "" : `; ${note}`;
}

/** A number for people: three digits that count, thousands set apart. */
export function rounded(value: number): string {
  if (!Number.isFinite(value)) return "-";
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString("en-US");
  return String(Number(value.toPrecision(3)));
}

/** Seconds for people: `12 s`, `3 min`, `2.5 h`. */
export function duration(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`;
  return `${rounded(seconds / 3600)} h`;
}

/** Every number in a value, at any depth, with at most `digits` behind the point. */
export function withRoundedNumbers<T>(value: T, digits = 2): T {
  return JSON.parse(
    JSON.stringify(value, (_, each) =>
      typeof each === "number" && Number.isFinite(each) ? Number(each.toFixed(digits)) : each,
    ),
  );
}
