// Questions at the terminal, and output that nobody reads to its end.
import { PassThrough } from "node:stream";
import { describe, it } from "vitest";
import { ask } from "../../scripts/lib/ask.ts";
import { CommandError } from "../../scripts/lib/command.ts";
import { command } from "../support/node/estate.ts";

describe("a question", () => {
  async function asked(keys: string | null, terminal: boolean): Promise<string> {
    const [input, output] = [new PassThrough(), new PassThrough()];
    const answer = ask("Sure? ", { input, output, terminal });
    if (keys === null) input.end();
    else input.write(keys);
    return await answer;
  }

  it("has a line for an answer", async ({ expect }) => {
    expect(await asked("yes\n", true)).toBe("yes");
    expect(await asked("yes\n", false)).toBe("yes");
  });

  it.for([
    ["Ctrl-C", "\u0003", true],
    ["Ctrl-D", "\u0004", true],
    ["the end of the input", null, false],
  ] as const)("is not answered by %s: the command ends with a line", async ([, keys, terminal], { expect }) => {
    await expect(asked(keys, terminal)).rejects.toThrow(new CommandError("Stopped."));
  });
});

it("a command whose output nobody reads any more ends without a word", async ({ expect }) => {
  const { child, ended } = command(["--help"], {});
  child.stdout.destroy();
  expect(await ended).toMatchObject({ code: 1, errors: "" });
});
