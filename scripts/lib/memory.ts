// A command that passes much through its memory and keeps little: left alone, V8 grows its heap rather than collect it.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;
setFlagsFromString("--no-expose-gc");

/** The whole process, without what it will need again: Node itself has some 90 MB. */
const ENOUGH_BYTES = 105 * 1024 * 1024;

/** Frees what is not needed any more, if the process has become large: some 10 ms. */
export function freeMemory(): void {
  if (process.memoryUsage.rss() > ENOUGH_BYTES) collect();
}
