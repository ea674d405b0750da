// Callers who prove nothing: they are counted by their address, and cause no line that could set off an alert.
import { env } from "cloudflare:workers";
import { afterEach, beforeAll, beforeEach, describe, it, type MockInstance, vi } from "vitest";
import { createApp } from "../../src/app.ts";
import { login, uniqueToken } from "../support/client.ts";
import { FakeIssuer, jwtLogin, newKey, serveIssuers } from "../support/issuer.ts";

const LEVELS = ["log", "warn", "error"] as const;
let lines: MockInstance[] = [];

beforeAll(serveIssuers);
beforeEach(() => {
  lines = LEVELS.map((level) => vi.spyOn(console, level));
});
afterEach(() => {
  for (const each of lines) each.mockRestore();
  vi.useRealTimers();
});

const logged = (level: (typeof LEVELS)[number]) =>
  lines[LEVELS.indexOf(level)]?.mock.calls.map(([line]) => JSON.parse(String(line)).message) ?? [];

/** A deployment whose class IP lets three calls of one address pass. */
function limited() {
  const counts = new Map<string, number>();
  const limit = async ({ key }: { key: string }) => {
    counts.set(key, (counts.get(key) ?? 0) + 1);
    return { success: (counts.get(key) ?? 0) <= 3 };
  };
  const app = createApp();
  return async (method: string, path: string, headers: Record<string, string>, body?: string) => {
    const init = { method, headers: { "cf-connecting-ip": "203.0.113.9", ...headers }, ...(body ? { body } : {}) };
    // The app `rated` has the class TEST.
    const bindings = { ...env, RATE_LIMIT_IP: { limit }, RATE_LIMIT_TEST: { limit } };
    return (await app.request(`https://registry.test${path}`, init, bindings)).status;
  };
}

async function times(n: number, one: () => Promise<number>): Promise<number[]> {
  const statuses: number[] = [];
  for (let i = 0; i < n; i += 1) statuses.push(await one());
  return statuses;
}

describe("a call that proves nothing", () => {
  it.for([
    ["without appId", "GET", "/v2/tokens", {}, 401],
    ["with an unknown appId", "GET", "/v2/tokens", { appId: "nobody" }, 401],
    ["with a ticket that is none", "POST", "/v2/tokens/unregister", {}, 400],
    ["without API key", "GET", "/v3/users/u/push_tokens", { appId: "rated" }, 401],
    ["with a wrong API key", "GET", "/v3/users/u/push_tokens", { appId: "rated", apikey: "wrong" }, 401],
    ["of an app whose configuration is wrong", "GET", "/v2/tokens", { appId: "broken" }, 500],
  ] as const)("%s is counted by its address", async ([, method, path, headers, status], { expect }) => {
    const call = limited();
    const body = method === "POST" ? "junk" : undefined;
    expect(await times(5, () => call(method, path, { ...headers }, body))).toEqual([status, status, status, 429, 429]);
  });

  it("leaves no log line without a known API key", async ({ expect }) => {
    const call = limited();
    for (const headers of [
      {},
      { appId: "test" },
      { appId: "test", apikey: "wrong" },
      { appId: "nobody", apikey: "x" },
    ]) {
      await call("GET", "/v3/users/u/push_tokens", headers);
      await call("POST", "/v3/push_tokens/lookup", headers, "{}");
    }
    for (const level of LEVELS) expect(logged(level)).toEqual([]);
  });

  it("has the wrong configuration of an app logged once a minute, not per call", async ({ expect }) => {
    const [call, now] = [limited(), Date.now()];
    vi.useFakeTimers({ toFake: ["Date"], now: now + 10 * 60_000 });
    await times(3, () => call("GET", "/v2/tokens", { appId: "broken" }));
    expect(logged("error")).toEqual(["the configuration is wrong"]);
    vi.setSystemTime(now + 11 * 60_000 + 1);
    await call("GET", "/v2/tokens", { appId: "broken" });
    expect(logged("error")).toEqual(["the configuration is wrong", "the configuration is wrong"]);
  });
});

describe("a forged token of an unknown key", () => {
  it("is 503 without an error line, and said once per question to the issuer", async ({ expect }) => {
    const issuer = await FakeIssuer.start();
    expect((await (await issuer.login()).register({ fcmToken: uniqueToken() })).status).toBe(200);
    const forged = await jwtLogin(issuer.app, { key: await newKey() });
    const statuses = await times(10, async () => (await forged.call("GET", "/v2/tokens")).status);
    expect(new Set(statuses)).toEqual(new Set([503]));
    expect(logged("error")).toEqual([]);
    expect(logged("log").filter((message) => message.includes("not known yet"))).toHaveLength(1);
  });
});

describe("a call with a key of the app", () => {
  it("is logged, refused or not", async ({ expect }) => {
    const { uid } = await login();
    expect(logged("log")).toEqual(["server call"]);
    expect(uid).not.toBe("");
  });
});
