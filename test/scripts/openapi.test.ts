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

  it("describes every parameter and every field, at any depth", async ({ expect }) => {
    const document = JSON.parse(await readFile(join(PROJECT, "public/openapi.json"), "utf8"));
    const bare: string[] = [];
    let fields = 0;
    const visit = (part: unknown, path: string): void => {
      if (typeof part !== "object" || part === null) return;
      for (const [key, value] of Object.entries(part)) {
        // Examples hold values, not fields.
        if (key === "example") continue;
        const described = key === "properties" ? value : {};
        for (const [name, field] of Object.entries<{ description?: string }>(described)) {
          fields += 1;
          if ((field.description ?? "") === "") bare.push(`${path}.${name}`);
        }
        if (key === "parameters") bare.push(...value.filter((each: { description?: string }) => !each.description));
        visit(value, `${path}.${key}`);
      }
    };
    visit(document.paths, "paths");
    visit(document.components.schemas, "schemas");
    expect(fields).toBeGreaterThan(400);
    expect(bare).toEqual([]);
  });

  it("has a reference page that names no other host", async ({ expect }) => {
    const page = await readFile(join(PROJECT, "public/reference.html"), "utf8");
    expect(page.match(/https?:\/\/[^\s"<]+/g)).toEqual(["http://localhost:8787"]);
    expect(page).not.toMatch(/src=|url\(|@import|<link(?! rel="icon" href="data:,")/);
    expect(page).toContain("POST /v2/tokens");
  });
});
