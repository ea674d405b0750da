// The console's overview of an app with many users: rows are put into the directory objects' files while no server has them open.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, inject, it, onTestFinished } from "vitest";
import { localBindings } from "../../scripts/demo.ts";
import { registryOf } from "../../scripts/lib/registry.ts";
import { objectFiles } from "../../scripts/lib/sqlite.ts";
import { serve } from "../../scripts/lib/workerd.ts";
import { COUNT_STEP_USERS } from "../../src/limits.ts";
import { ConsoleTab, launchChromium } from "../support/node/console.ts";

const SEEDS = 400;
/** Below a million, for the time that it takes; more than one call counts. */
const USERS_PER_OBJECT = 2 * COUNT_STEP_USERS + 3000;

/** Users with the rows of a real one, but for uid and token. */
function fill(file: string): void {
  const database = new DatabaseSync(file);
  const { format, tokens, shown_since: since } = database.prepare("SELECT * FROM users LIMIT 1").get() ?? {};
  const put = database.prepare("INSERT INTO users VALUES (?, ?, 1, ?, ?, 1, 0, ?)");
  database.exec("BEGIN");
  for (let i = 0; i < USERS_PER_OBJECT; i += 1) {
    // Odd: no id of a real user, which is a multiple of 256.
    put.run(2 * i * 1_000_003 + 1, `user-${i}`, format ?? 0, tokens ?? "", since ?? 0);
  }
  database.exec("COMMIT");
  database.close();
}

describe("the overview of an app with more users than one call counts", () => {
  it("counts in steps, shows each, and comes to the end", { timeout: 120_000 }, async ({ expect }) => {
    const data = await mkdtemp(join(tmpdir(), "push-token-registry-overview-"));
    onTestFinished(() => rm(data, { recursive: true }));
    const options = { bundle: inject("bundle"), bindings: localBindings({}).bindings, data, hasAssets: true };
    const before = await serve(options);
    const registry = registryOf({ url: before.url, "app-id": "demo", "api-key": "demo-server-key" });
    const items = Array.from({ length: SEEDS }, (_, i) => ({ uid: `seed-${i}`, kind: "fcm", token: `token-${i}` }));
    await registry.call("POST", "/v3/push_tokens/import", { items });
    await before.stop();
    const files = await objectFiles(data, "Directory");
    for (const file of files) fill(file);
    const server = await serve(options);
    onTestFinished(() => server.stop());
    const browser = await launchChromium();
    onTestFinished(() => browser.close());

    const tab = await ConsoleTab.open(browser, server.url);
    await tab.page.evaluate(`
      globalThis.shown = [];
      new MutationObserver(() => {
        const line = document.querySelector("main").innerText.match(/[\\d,]+ users hold.*/)?.[0];
        if (line !== undefined && line !== shown.at(-1)) shown.push(line);
      }).observe(document.querySelector("main"), { childList: true, subtree: true });`);
    await tab.signIn();
    const all = new Intl.NumberFormat("en-US").format(files.length * USERS_PER_OBJECT + SEEDS);
    await tab.page.getByText(`${all} users hold ${all} registrations`).waitFor();
    const shown = (await tab.page.evaluate("shown")) as string[];
    expect(shown.length).toBeGreaterThan(1);
    expect(shown.slice(0, -1).filter((line) => !line.endsWith("Still counting …"))).toEqual([]);
    expect(shown.at(-1)).not.toContain("Still counting");
    const counts = shown.map((line) => Number.parseInt(line.replaceAll(",", ""), 10));
    expect(counts).toEqual(counts.toSorted((a, b) => a - b));
    expect(await tab.close()).toEqual([]);
  });
});
