// The examples of docs/own-login.md, read by wrangler and by the Worker's own parser.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "vitest";
import { unstable_readConfig } from "wrangler";
import { PROJECT } from "../../scripts/lib/workerd.ts";
import { type JwtApp, parseConfig } from "../../src/config/apps.ts";

const guide = await readFile(join(PROJECT, "docs/own-login.md"), "utf8");
const blocks = (language: string) =>
  [...guide.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, "gms"))].map(([, text]) => text ?? "");
const secrets = blocks("json")[0] ?? "";

async function read(toml: string): Promise<JwtApp> {
  const directory = await mkdtemp(join(tmpdir(), "push-token-registry-guide-"));
  const config = join(directory, "wrangler.toml");
  await writeFile(config, `name = "guide"\ncompatibility_date = "2026-09-30"\n${toml}`);
  const { vars } = unstable_readConfig({ config });
  await rm(directory, { recursive: true });
  const isShared = toml.includes("HS256");
  const { apps, problems } = parseConfig({ ...vars, ...(isShared ? { SECRETS_ACME: secrets } : {}) });
  const app = apps.get("acme");
  if (app === undefined || app instanceof Error || app.identity !== "jwt") {
    throw app instanceof Error ? app : new Error(`no jwt app: ${problems.join()}`);
  }
  return app;
}

describe("docs/own-login.md", () => {
  it.for(
    [
      ["the first", "RS256", "sid", 90],
      ["Auth0's", "RS256", "https://acme.example/session", 30],
      ["Firebase's", "RS256", "auth_time", 365],
      ["Clerk's", "RS256", "sid", 7],
      ["the shared secret's", "HS256", "device", 180],
      ["the key pair's", "EdDSA", "device", 180],
    ].map((row, n) => [row[0], n, ...row.slice(1)] as [string, number, string, string, number]),
  )("has a configuration that works: %s", async ([, n, algorithm, sessionClaim, maximumSessionDays], { expect }) => {
    const { jwt, rules } = await read(blocks("toml")[n] ?? "");
    expect(jwt).toMatchObject({ algorithms: [algorithm], sessionClaim, maximumSessionDays });
    expect(rules.fenceMs).toBe(maximumSessionDays * 86_400_000 + 60_000);
  });

  it("has no other one", ({ expect }) => {
    expect(blocks("toml")).toHaveLength(6);
    expect(blocks("json")).toHaveLength(1);
  });

  it("names every field of the table, and none that there is not", async ({ expect }) => {
    const section = guide.slice(guide.indexOf("## The fields of `jwt`"), guide.indexOf("## The session claim"));
    const named = [...section.matchAll(/^\| `(\w+)` \|/gm)].map(([, field]) => field);
    const parsed = parseConfig({
      APP_X: { appId: "x", identity: "jwt", jwt: Object.fromEntries(named.map((field) => [field, null])) },
    }).apps.get("x");
    const problems = parsed instanceof Error ? parsed.message : "";
    expect(problems).not.toContain("unknown fields");
    for (const field of named) expect(problems).toContain(`APP_X.jwt.${field}`);
    const app = await read(blocks("toml")[0] ?? "");
    expect(named).toEqual(expect.arrayContaining(Object.keys(app.jwt).filter((field) => field !== "secrets")));
  });
});
