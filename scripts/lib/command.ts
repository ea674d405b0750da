// What all commands of this project (`npm run …`) share: their help, their options, and how they refuse, report and end.
// Exit codes: 0 is done, 1 is "it found something" or "it failed", 2 is "this cannot be meant", with one line on stderr.
import { parseArgs } from "node:util";
import { adviceOn } from "./file-errors.ts";
import { flag, type Option, type Options, shown, UsageError, type Values } from "./options.ts";
import { Output } from "./output.ts";

export interface Command<O extends Options = Options> {
  /** As in package.json: `npm run <name>`. */
  name: string;
  /** What it does, in a sentence or a few. */
  summary: string;
  options: O;
  /** What stands without dashes. */
  operands?: { placeholder: string; help: string; min: number; max: number };
  /** Each as it is written behind `npm run <name> -- `. */
  examples: readonly string[];
  /** More for the help: what exit code 1 means, how to read the result. */
  notes?: string;
  /** Whether `--json` prints the result as one JSON document. */
  hasJson: boolean;
  /** Whether all arguments are operands, options too: another program reads them. */
  passesOn?: boolean;
  /** Answers the exit code. */
  run(values: Values<O>, context: { output: Output; operands: readonly string[] }): Promise<number> | number;
}

/** Environment variables. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Keeps the types of the options together with what `run` gets. */
export function defineCommand<O extends Options>(command: Command<O>): Command<O> {
  return command;
}

/** It failed, and the message says all that the caller needs: exit code 1, no stack trace. */
export class CommandError extends Error {
  override name = "CommandError";
}

/** Runs a command with the arguments of this process, and sets its exit code. */
export async function main<O extends Options>(command: Command<O>): Promise<void> {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    // Whoever read it has enough, as `head` does.
    if (error.code === "EPIPE") process.exit(1);
    throw error;
  });
  process.exitCode = await execute(command, process.argv.slice(2), process.env);
}

/** Runs a command; answers the exit code. */
export async function execute<O extends Options>(
  command: Command<O>,
  args: readonly string[],
  env: Environment,
): Promise<number> {
  try {
    const parsed = parse(command, args, env);
    if (parsed === "help") {
      console.log(helpOf(command));
      return 0;
    }
    return await command.run(parsed.values, { output: new Output(parsed.isJson), operands: parsed.operands });
  } catch (error) {
    if (error instanceof UsageError) {
      console.error(`${error.message} (npm run ${command.name} -- --help)`);
      return 2;
    }
    const failure = error instanceof CommandError ? error.message : adviceOn(error);
    if (failure === null) throw error;
    console.error(failure);
    return 1;
  }
}

export interface Parsed<O extends Options> {
  values: Values<O>;
  operands: string[];
  isJson: boolean;
}

/** What the arguments mean. Throws a {@link UsageError} that names what is wrong. */
export function parse<O extends Options>(
  command: Command<O>,
  args: readonly string[],
  env: Environment,
): Parsed<O> | "help" {
  if (command.passesOn === true) {
    const isHelp = args.includes("--help") || args.includes("-h");
    return isHelp ? "help" : { values: {} as Values<O>, operands: [...args], isJson: false };
  }
  const options = allOptions(command);
  const { tokens } = parseArgs({
    args: [...args],
    options: Object.fromEntries(
      Object.entries(options).map(([name, { placeholder }]) => [
        name,
        { type: placeholder === undefined ? ("boolean" as const) : ("string" as const) },
      ]),
    ),
    // Refusals are worded here: Node's do not name the options that there are.
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  if (tokens.some((token) => token.kind === "option" && ["--help", "-h"].includes(token.rawName))) return "help";
  const given = new Map<string, unknown>();
  const operands: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") operands.push(token.value);
    if (token.kind === "option") given.set(token.name, readOption(options, token));
  }
  const values = Object.fromEntries(
    Object.entries<Option<unknown>>(command.options).map(([name, option]) => {
      if (given.has(name)) return [name, given.get(name)];
      const variable = option.env === undefined ? undefined : env[option.env];
      if (option.env === undefined || variable === undefined) return [name, option.absent(`--${name}`)];
      return [name, option.parse(variable, option.env)];
    }),
  );
  checkOperands(command, operands);
  return { values: values as Values<O>, operands, isJson: given.has("json") };
}

function readOption(options: Options, token: { name: string; rawName: string; value?: string | undefined }): unknown {
  const option = Object.hasOwn(options, token.name) ? options[token.name] : undefined;
  if (option === undefined || !token.rawName.startsWith("--")) {
    const all = Object.keys(options).map((name) => `--${name}`);
    throw new UsageError(`${shown(token.rawName)} is no option; there are ${all.join(", ")}`);
  }
  if (option.placeholder === undefined) {
    if (token.value !== undefined) throw new UsageError(`${token.rawName} takes no value`);
    return true;
  }
  if (token.value === undefined) throw new UsageError(`${token.rawName} needs a value: ${option.placeholder}`);
  return option.parse(token.value, token.rawName);
}

function checkOperands<O extends Options>({ operands: wanted }: Command<O>, given: readonly string[]): void {
  const { min, max, placeholder } = wanted ?? { min: 0, max: 0, placeholder: "" };
  const extra = given[max];
  if (extra !== undefined) throw new UsageError(`${shown(extra)} is not expected here`);
  if (given.length < min) throw new UsageError(`${placeholder} is missing`);
}

function allOptions<O extends Options>({ options, hasJson }: Command<O>): Options {
  return {
    ...options,
    ...(hasJson ? { json: flag("Print the result as one JSON document; the rest goes to stderr.") } : {}),
    help: flag("Print this."),
  };
}

const WIDTH = 100;

/** The help of a command. */
export function helpOf<O extends Options>(command: Command<O>): string {
  const { name, summary, operands, examples, notes } = command;
  const rows = Object.entries(allOptions(command)).map(([option, { placeholder, help, shownDefault, env }]) => {
    const defaults = [shownDefault, env === undefined ? undefined : `${env} in the environment`];
    const known = defaults.filter((each) => each !== undefined);
    return {
      left: placeholder === undefined ? `--${option}` : `--${option} ${placeholder}`,
      right: known.length === 0 ? help : `${help} Default: ${known.join(", else ")}.`,
    };
  });
  if (operands !== undefined) rows.unshift({ left: operands.placeholder, right: operands.help });
  const indent = Math.max(...rows.map(({ left }) => left.length)) + 4;
  const listed = rows.map(({ left, right }) => {
    const [first = "", ...rest] = wrap(right, WIDTH - indent);
    return [`  ${left.padEnd(indent - 2)}${first}`, ...rest.map((line) => " ".repeat(indent) + line)].join("\n");
  });
  const shape =
    operands === undefined ? "" : operands.min === 0 ? ` [${operands.placeholder}]` : ` ${operands.placeholder}`;
  return [
    wrap(summary, WIDTH).join("\n"),
    `  npm run ${name} -- [options]${shape}`,
    `Options:\n${listed.join("\n")}`,
    `${examples.length === 1 ? "Example" : "Examples"}:\n${examples.map((each) => `  npm run ${name}${each === "" ? "" : ` -- ${each}`}`).join("\n")}`,
    ...(notes === undefined
      ? []
      : [
          notes
            .split("\n")
            .flatMap((line) => wrap(line, WIDTH))
            .join("\n"),
        ]),
  ].join("\n\n");
}

/** Lines of at most `width` characters, broken at spaces. */
function wrap(text: string, width: number): string[] {
  const lines = [""];
  for (const word of text.split(" ")) {
    const line = lines.at(-1) ?? "";
    if (line === "") lines[lines.length - 1] = word;
    else if (line.length + 1 + word.length <= width) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines;
}
