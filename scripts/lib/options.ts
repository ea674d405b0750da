// The options of a command: what each takes, what is refused and with which words. Refusals name the option.

/** What the caller wrote cannot be meant: one line on stderr, exit code 2. */
export class UsageError extends Error {
  override name = "UsageError";
}

export interface Option<T> {
  help: string;
  /** What stands behind the option in the help; a flag has nothing. */
  placeholder?: string;
  /** Shown in the help. */
  shownDefault?: string;
  /** The environment variable that counts where the option is absent. */
  env?: string;
  /** `name` as the caller wrote it, with the dashes. Throws a {@link UsageError}. */
  parse(text: string, name: string): T;
  /** The value where neither the option nor its variable is there. Throws a {@link UsageError} if one is needed. */
  absent(name: string): T;
}

export type Options = Readonly<Record<string, Option<unknown>>>;

/** The values of options, by their names without the dashes. */
export type Values<O extends Options> = { readonly [K in keyof O]: O[K] extends Option<infer T> ? T : never };

interface NumberSettings<D> {
  help: string;
  min: number;
  max?: number;
  /** Fractions too. */
  fractions?: boolean;
  default: D;
  /** Said in the help where the default is no number: "by the clock". */
  defaultSays?: string;
}

/** A number from `min` to `max`; whole unless `fractions`. With `default: null`, absent is `null`. */
export function number<D extends number | null>(settings: NumberSettings<D>): Option<number | D> {
  const { help, min, max = Number.MAX_SAFE_INTEGER, fractions = false } = settings;
  const shown = settings.defaultSays ?? (settings.default === null ? undefined : String(settings.default));
  return {
    help,
    placeholder: "NUMBER",
    ...(shown === undefined ? {} : { shownDefault: shown }),
    parse: (text, name) => parseNumber(text, name, { min, max, fractions }),
    absent: () => settings.default,
  };
}

function parseNumber(text: string, name: string, limits: { min: number; max: number; fractions: boolean }): number {
  const { min, max, fractions } = limits;
  const value = text.trim() === "" ? Number.NaN : Number(text);
  const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
  if (!(value >= min && value <= max)) throw new UsageError(`${name} must be a number ${range}, not ${shown(text)}`);
  if (!fractions && !Number.isInteger(value)) {
    throw new UsageError(`${name} must be a whole number ${range}, not ${shown(text)}`);
  }
  return value;
}

/** Numbers with commas between them: `10,1000`. */
export function numbers(settings: {
  help: string;
  min: number;
  default: readonly number[];
}): Option<readonly number[]> {
  const limits = { min: settings.min, max: Number.MAX_SAFE_INTEGER, fractions: false };
  return {
    help: settings.help,
    placeholder: "NUMBERS",
    shownDefault: settings.default.join(","),
    parse: (text, name) => text.split(",").map((each) => parseNumber(each, name, limits)),
    absent: () => settings.default,
  };
}

interface TextSettings<D> {
  help: string;
  /** What the text is, in capitals: `DIRECTORY`. */
  placeholder: string;
  default: D;
  defaultSays?: string;
  env?: string;
  /** What is wrong with it, or `null`. */
  check?: (given: string) => string | null;
}

/** Any text but the empty one. With `default: null`, absent is `null`. */
export function text<D extends string | null>(settings: TextSettings<D>): Option<string | D> {
  const { help, placeholder, env, check = () => null } = settings;
  const says = settings.defaultSays ?? settings.default;
  return {
    help,
    placeholder,
    ...(says === null ? {} : { shownDefault: says }),
    ...(env === undefined ? {} : { env }),
    parse: (given, name) => {
      const problem = given === "" ? "must not be empty" : check(given);
      if (problem !== null) throw new UsageError(`${name} ${problem}`);
      return given;
    },
    absent: () => settings.default,
  };
}

/** What is wrong with an address, or `null`. */
export function notHttpUrl(given: string): string | null {
  if (URL.canParse(given) && /^https?:$/.test(new URL(given).protocol)) return null;
  return `must be an http or https URL, not ${JSON.stringify(given).slice(0, 80)}`;
}

/** A text that must be there, as an option or in the environment; `check` says what is wrong with it, or `null`. */
export function needed(settings: {
  help: string;
  placeholder: string;
  env: string;
  check?: (given: string) => string | null;
}): Option<string> {
  const { help, placeholder, env, check = () => null } = settings;
  return {
    help,
    placeholder,
    env,
    parse: (given, name) => {
      const problem = given === "" ? "must not be empty" : check(given);
      if (problem !== null) throw new UsageError(`${name} ${problem}`);
      return given;
    },
    absent: (name) => {
      throw new UsageError(`${name} is needed, or ${env} in the environment`);
    },
  };
}

/** A longer list stands only in the refusal. */
const CHOICES_SHOWN = 6;

/** One of some words. With `default: null`, absent is `null`. */
export function choice<C extends string, D extends C | null>(settings: {
  help: string;
  placeholder: string;
  choices: readonly C[];
  default: D;
}): Option<C | D> {
  const { placeholder, choices } = settings;
  return {
    help: choices.length > CHOICES_SHOWN ? settings.help : `${settings.help} One of ${choices.join(", ")}.`,
    placeholder,
    ...(settings.default === null ? {} : { shownDefault: settings.default }),
    parse: (given, name) => {
      const chosen = choices.find((each) => each === given);
      if (chosen === undefined)
        throw new UsageError(`${name} must be one of ${choices.join(", ")}; not ${shown(given)}`);
      return chosen;
    },
    absent: () => settings.default,
  };
}

/** On if it is there. */
export function flag(help: string): Option<boolean> {
  return { help, parse: () => true, absent: () => false };
}

/** What the caller wrote, on one line. */
export function shown(given: string): string {
  return given === "" ? '""' : JSON.stringify(given).slice(1, -1).slice(0, 60);
}
