// load.ts as Node loads it, also where a test runner has its own module loader.
import { createRequire } from "node:module";

export const { loadProtocol, setHost } = createRequire(import.meta.url)("./load.ts") as typeof import("./load.ts");
export type { Edit, Host, ObjectClass, Protocol } from "./load.ts";
