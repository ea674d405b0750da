// A command that passes much through its memory and keeps little: left alone, V8 grows its heap rather than collect it.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;
setFlagsFromString("--no-expose-gc");

/** What a command holds at a time, with room to spare. More than that on top of what it began with is not needed any more. */
const ENOUGH_BYTES = process.memoryUsage.rss() + 8 * 1024 * 1024;

/** Frees what is not needed any more, if the process has become large: some 10 ms. */
export function freeMemory(): void {
  if (process.memoryUsage.rss() > ENOUGH_BYTES) collect();
}
