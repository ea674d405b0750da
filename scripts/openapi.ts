// `npm run openapi`: writes public/openapi.json and public/reference.html from the operations and the zod schemas.
// `--check` fails if the committed files are not what it would write.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PROJECT } from "./lib/workerd.ts";
import { toDocument } from "./openapi/document.ts";
import { toReference } from "./openapi/reference.ts";

const document = toDocument();
const files = {
  "public/openapi.json": `${JSON.stringify(document, null, 2)}\n`,
  "public/reference.html": toReference(document),
};

for (const [file, content] of Object.entries(files)) {
  const path = join(PROJECT, file);
  if (!process.argv.includes("--check")) {
    await writeFile(path, content);
    continue;
  }
  const committed = await readFile(path, "utf8").catch(() => "");
  if (committed !== content) {
    console.error(`${file} is not up to date: run npm run openapi`);
    process.exitCode = 1;
  }
}
