// A command in this process: what it prints, and how it ends.
import { vi } from "vitest";
import { type Command, type Environment, execute } from "../../../scripts/lib/command.ts";
import type { Options } from "../../../scripts/lib/options.ts";

export interface Ended {
  code: number;
  out: string;
  errors: string;
}

/** Runs a command as `main` does. */
export function executed<O extends Options>(
  command: Command<O>,
  args: readonly string[],
  env: Environment = {},
): Promise<Ended> {
  return caught(() => execute(command, args, env));
}

/** What is printed meanwhile; `work` answers the exit code. */
export async function caught(work: () => Promise<number>): Promise<Ended> {
  let [out, errors] = ["", ""];
  const spies = [
    vi.spyOn(console, "error").mockImplementation((line) => {
      errors += `${line}\n`;
    }),
    vi.spyOn(console, "log").mockImplementation((line) => {
      out += `${line}\n`;
    }),
    vi.spyOn(process.stdout, "write").mockImplementation((chunk) => {
      out += chunk;
      return true;
    }),
  ];
  try {
    return { code: await work(), out, errors };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}
