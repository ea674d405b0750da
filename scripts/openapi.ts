// `npm run openapi`: writes public/openapi.json, public/reference.html and the types of examples/back-end from the operations
// and the zod schemas.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { defineCommand, main } from "./lib/command.ts";
import { flag } from "./lib/options.ts";
import { PROJECT } from "./lib/workerd.ts";
import { toDocument } from "./openapi/document.ts";
import { toReference } from "./openapi/reference.ts";
import { toTypes } from "./openapi/types.ts";

export const command = defineCommand({
  name: "openapi",
  summary:
    "Writes the description of the API, public/openapi.json, public/reference.html and examples/back-end/api.d.ts, from the schemas.",
  options: { check: flag("Write nothing; fail if the files are not what would be written.") },
  examples: ["", "--check"],
  hasJson: false,
  async run({ check }) {
    const document = toDocument();
    const files = {
      "public/openapi.json": `${JSON.stringify(document, null, 2)}\n`,
      "public/reference.html": toReference(document),
      "examples/back-end/api.d.ts": toTypes(document),
    };
    let exitCode = 0;
    for (const [file, content] of Object.entries(files)) {
      const path = join(PROJECT, file);
      if (!check) {
        await writeFile(path, content);
        continue;
      }
      const committed = await readFile(path, "utf8").catch(() => "");
      if (committed === content) continue;
      console.error(`${file} is not up to date: run npm run openapi`);
      exitCode = 1;
    }
    return exitCode;
  },
});

if (import.meta.main) await main(command);
