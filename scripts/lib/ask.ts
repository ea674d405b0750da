// A question to whoever sits at the terminal.
import { once } from "node:events";
import { createInterface } from "node:readline/promises";
import { CommandError } from "./command.ts";

/**
 * The line that is written as the answer.
 * @throws {CommandError} if there is none: Ctrl-C, Ctrl-D, or the end of the input
 */
export async function ask(
  question: string,
  streams: { input: NodeJS.ReadableStream; output: NodeJS.WritableStream; terminal?: boolean },
): Promise<string> {
  const asking = createInterface(streams);
  const ended = once(asking, "close").then(() => null);
  const answer = await Promise.race([asking.question(question).catch(() => null), ended]);
  asking.close();
  if (answer !== null) return answer;
  streams.output.write("\n");
  throw new CommandError("Stopped.");
}
