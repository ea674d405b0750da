import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { Validator } from "@seriousme/openapi-schema-validator";
import { describe, it } from "vitest";
import { PROJECT } from "../../scripts/lib/workerd.ts";

describe("public/openapi.json", () => {
  it("is valid OpenAPI 3.1, by a validator that is not ours", async ({ expect }) => {
    const document = JSON.parse(await readFile(join(PROJECT, "public/openapi.json"), "utf8"));
    const result = await new Validator().validate(document);
    expect(result).toMatchObject({ valid: true });
  });

  it("is what the schemas say now, as the reference page is", async ({ expect }) => {
    const check = promisify(execFile)(process.execPath, [join(PROJECT, "scripts/openapi.ts"), "--check"]);
    await expect(check).resolves.toMatchObject({ stderr: "" });
  });

  it("has a reference page that fetches nothing", async ({ expect }) => {
    const page = await readFile(join(PROJECT, "public/reference.html"), "utf8");
    expect(page).not.toMatch(/<script|<link|src=|url\(|@import|https?:\/\//);
    expect(page).toContain("POST /v2/tokens");
  });
});
