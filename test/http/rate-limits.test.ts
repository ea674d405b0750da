// Rate limits, on the simulator's bindings: five calls a minute in the apps `rated` and `rated-key`.
import { env } from "cloudflare:workers";
import { describe, it } from "vitest";
import { createApp } from "../../src/app.ts";
import { API_KEYS } from "../support/apps.ts";
import { call, login, type Reply, serverCall, uniqueToken, uniqueUid } from "../support/client.ts";
import { address, itWithinAMinute } from "../support/rate-limits.ts";

const LIMIT = 5;
const LIMITED = { status: 429, body: { error: { code: "ERR_TOO_MANY_REQUESTS", details: {} } } };

async function times(n: number, one: () => Promise<Reply>): Promise<Reply[]> {
  const replies: Reply[] = [];
  for (let i = 0; i < n; i += 1) replies.push(await one());
  return replies;
}

const statuses = (replies: Reply[]) => replies.map(({ status }) => status);

describe("the limit by address", () => {
  itWithinAMinute(
    "counts before the auth token is looked at, and answers 429 that a page can read",
    async ({ expect }) => {
      const headers = { appId: "rated", authToken: "a.forged.token", ...address() };
      const replies = await times(LIMIT + 1, () => call("GET", "/v2/tokens", { headers }));
      expect(statuses(replies)).toEqual([401, 401, 401, 401, 401, 429]);
      const last = replies.at(-1);
      expect(last).toMatchObject(LIMITED);
      expect(Number(last?.headers.get("retry-after"))).toBe(60);
      expect(last?.headers.get("access-control-allow-origin")).toBe("*");
      expect(last?.headers.get("access-control-expose-headers")).toContain("Retry-After");
    },
  );

  itWithinAMinute("is one for each address and each app", async ({ expect }) => {
    const mine = address();
    const from = (appId: string, headers: object) =>
      call("GET", "/v2/tokens", { headers: { appId, authToken: "forged", ...headers } });
    await times(LIMIT, () => from("rated", mine));
    expect((await from("rated", mine)).status).toBe(429);
    expect((await from("rated", address())).status).toBe(401);
    expect((await from("rated-key", mine)).status).toBe(401);
  });

  itWithinAMinute("counts a guessed API key, and never a right one", async ({ expect }) => {
    const mine = address();
    const ask = (apikey: string) =>
      call("GET", `/v3/users/${uniqueUid()}/push_tokens`, { headers: { appId: "rated", apikey, ...mine } });
    expect(statuses(await times(LIMIT + 1, () => ask(API_KEYS.sender)))).toEqual(Array(LIMIT + 1).fill(200));
    expect(statuses(await times(LIMIT + 1, () => ask("guessed")))).toEqual([401, 401, 401, 401, 401, 429]);
    expect((await ask(API_KEYS.sender)).status).toBe(200);
  });

  itWithinAMinute("counts unregister tickets", async ({ expect }) => {
    const session = await login(uniqueUid(), { app: "rated" });
    const { body } = await session.register({ fcmToken: uniqueToken() });
    const headers = address();
    const replies = await times(LIMIT + 1, () =>
      call("POST", "/v2/tokens/unregister", { headers, body: body.data.unregisterTicket }),
    );
    expect(statuses(replies)).toEqual([200, 200, 200, 200, 200, 429]);
  });

  itWithinAMinute("does not count where the platform names no address", async ({ expect }) => {
    const headers = { appId: "rated", authToken: "forged" };
    const replies = await times(LIMIT + 1, () => call("GET", "/v2/tokens", { headers }));
    expect(new Set(statuses(replies))).toEqual(new Set([401]));
  });
});

describe("the limit by session", () => {
  itWithinAMinute(
    "stops one session wherever it calls from, changes nothing, and leaves the user's others alone",
    async ({ expect }) => {
      const session = await login(uniqueUid(), { app: "rated" });
      const other = await login(session.uid, { app: "rated" });
      const token = uniqueToken();
      const registered = await times(LIMIT, () =>
        session.call("POST", "/v2/tokens", { body: { fcmToken: token }, headers: address() }),
      );
      expect(statuses(registered)).toEqual([200, 200, 200, 200, 200]);
      expect(await session.call("DELETE", "/v2/tokens", { headers: address() })).toMatchObject(LIMITED);
      expect(await other.tokens()).toEqual([token]);
    },
  );

  itWithinAMinute("counts for the session in the auth token, so that nobody else can use it up", async ({ expect }) => {
    const session = await login(uniqueUid(), { app: "rated" });
    const forged = `${session.authToken.slice(0, -4)}AAAA`;
    for (let i = 0; i <= LIMIT; i += 1) {
      await call("GET", "/v2/tokens", { headers: { appId: "rated", authToken: forged, ...address() } });
    }
    expect((await session.call("GET", "/v2/tokens")).status).toBe(200);
  });
});

describe("the limit by API key", () => {
  itWithinAMinute("stops one key, and no other", async ({ expect }) => {
    const ask = (apikey: string) =>
      serverCall("GET", `/v3/users/${uniqueUid()}/push_tokens`, { headers: { apikey } }, "rated-key");
    const replies = await times(LIMIT + 1, () => ask(API_KEYS.sender));
    expect(statuses(replies)).toEqual([200, 200, 200, 200, 200, 429]);
    expect(replies.at(-1)).toMatchObject(LIMITED);
    expect((await ask(API_KEYS.fullAccess)).status).toBe(200);
  });
});

describe("a deployment", () => {
  const ask = async (bindings: object) => {
    const headers = { appId: "rated-key", apikey: API_KEYS.authOnly };
    const request = { method: "POST", headers };
    return createApp().request(`https://registry.test/v3/users/${uniqueUid()}/auth_tokens`, request, bindings);
  };

  it("without the binding does not limit", async ({ expect }) => {
    for (let i = 0; i <= LIMIT; i += 1) {
      expect((await ask({ ...env, RATE_LIMIT_TEST: undefined })).status).toBe(200);
    }
  });

  it("whose limiter fails goes on", async ({ expect }) => {
    const failing = { limit: () => Promise.reject(new Error("the limiter is down")) };
    expect((await ask({ ...env, RATE_LIMIT_TEST: failing })).status).toBe(200);
  });

  it("asks the class that the app names, with a key that holds no API key", async ({ expect }) => {
    const asked: string[] = [];
    const counting = {
      limit: async ({ key }: { key: string }) => {
        asked.push(key);
        return { success: true };
      },
    };
    await ask({ ...env, RATE_LIMIT_TEST: counting, RATE_LIMIT_KEY: undefined });
    expect(asked).toEqual(["key:rated-key:test-authOnly"]);
  });
});
