// Two servers on one store would each answer from its own memory: the second never starts.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { describe, expect, inject, it, onTestFinished } from "vitest";
import { loadApp } from "../../scripts/lib/load.ts";
import { PROJECT, type Server, serve } from "../../scripts/lib/workerd.ts";
import { temporary } from "../support/node/local.ts";

const app = loadApp();
const IN_USE = /already in use by another server \(process \d+\): .* choose another directory\.$/;

async function on(data: string): Promise<Server> {
  const server = await serve({ bundle: inject("bundle"), bindings: app.bindings, data });
  onTestFinished(() => server.stop());
  return server;
}

/** A server whose parent is another process. */
async function byAnother(data: string) {
  const options = JSON.stringify({ bundle: inject("bundle"), bindings: app.bindings, data });
  const code = `import { serve } from "./scripts/lib/workerd.ts"; console.log((await serve(${options})).pid);`;
  const parent = spawn(process.execPath, ["--input-type=module-typescript", "-e", code], {
    cwd: PROJECT,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [pid] = await once(createInterface({ input: parent.stdout }), "line");
  return { parent, workerd: Number(pid) };
}

describe("a store", () => {
  it("has one server, in 20 rounds of two that start at once", async ({ expect }) => {
    const data = await temporary("lock");
    for (let round = 0; round < 20; round += 1) {
      const both = await Promise.allSettled([on(data), on(data)]);
      const [won, lost] = [both.filter(isFulfilled), both.filter((each) => !isFulfilled(each))];
      expect([won.length, lost.length], `round ${round}`).toEqual([1, 1]);
      await expect(async () => await on(data)).rejects.toThrow(IN_USE);
      for (const { value } of won) await value.stop(round % 2 === 0 ? "SIGTERM" : "SIGKILL");
    }
  });

  it("stays in use while workerd lives, also after SIGKILL of the process that started it", async ({ expect }) => {
    const data = await temporary("lock");
    const { parent, workerd } = await byAnother(data);
    parent.kill("SIGKILL");
    await once(parent, "exit");
    await expect(async () => await on(data)).rejects.toThrow(IN_USE);
    process.kill(workerd, "SIGKILL");
    await gone(workerd);
    await on(data);
  });
});

function isFulfilled<T>(each: PromiseSettledResult<T>): each is PromiseFulfilledResult<T> {
  if (each.status === "rejected") expect(String(each.reason)).toMatch(/already in use/);
  return each.status === "fulfilled";
}

/** Waits until the process has ended; whoever adopted it may not have asked for its exit code yet. */
async function gone(pid: number): Promise<void> {
  for (;;) {
    const { stdout } = spawnSync("ps", ["-o", "stat=", "-p", String(pid)], { encoding: "utf8" });
    if (stdout.trim() === "" || stdout.startsWith("Z")) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
