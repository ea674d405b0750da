// All users of an app, page by page, and how many they are.
import { env } from "cloudflare:workers";
import { afterEach, describe, it, vi } from "vitest";
import {
  COUNT_CALLS_MAX,
  DAY_MS,
  FALLBACK_CALLS_MAX,
  LOOKUP_BYTES_MAX,
  PAGE_CALLS_MAX,
  TOKEN_BYTES_PER_USER_MAX,
} from "../../src/limits.ts";
import { login, type Reply, serverCall, uniqueToken, uniqueUid } from "../support/client.ts";
import { faultyFor, serverCallWith, show } from "../support/directory.ts";
import { type Fault, failBefore, on, platformErrors, silent, userObject } from "../support/faults.ts";
import { envWith } from "../support/settings.ts";

interface User {
  uid: string;
  pushTokens: { token: string; kind: string; platform: string; muted?: true }[];
}

/** Each app of this file has users of one test alone. */
async function users(
  app: string,
  count: number,
  body: () => Record<string, string> = () => ({ fcmToken: uniqueToken() }),
) {
  const sessions = Array.from({ length: count }, () => login(uniqueUid(), { app }));
  for (const session of await Promise.all(sessions)) await session.register(body());
  return Promise.all(sessions);
}

type Get = (path: string) => Promise<Reply>;

const of =
  (app: string, bindings: object = {}): Get =>
  (path) =>
    serverCallWith(bindings, "GET", path, { headers: { appId: app } });

/** All pages; `between` runs after each of them. */
async function walk(get: Get, query = "", between: () => Promise<unknown> = async () => undefined) {
  const pages: User[][] = [];
  let cursor: string | undefined;
  do {
    const { body, status } = await get(`/v3/push_tokens?${query}${cursor === undefined ? "" : `&cursor=${cursor}`}`);
    if (status !== 200) throw new Error(JSON.stringify(body));
    pages.push(body.data.users);
    cursor = body.data.cursor;
    await between();
  } while (cursor !== undefined);
  return pages;
}

const uidsOf = (pages: User[][]) => pages.flat().map(({ uid }) => uid);
const sorted = (texts: Iterable<string>) => [...texts].sort();
const lost = failBefore(platformErrors.connectionLost);
const directory = (fault: Fault, names: (name: string) => boolean = () => true) =>
  faultyFor(env.DIRECTORY, names, fault);

afterEach(() => {
  vi.useRealTimers();
});

describe("GET /v3/push_tokens", () => {
  it("names each user once, as the single read does, in pages of the size asked for", async ({ expect }) => {
    const sessions = await users("other", 20);
    const [, second = "", third = ""] = sessions.map(({ uid }) => uid);
    await sessions[2]?.logout();
    for (const limit of [1, 7, 1000]) {
      const pages = await walk(of("other"), `limit=${limit}`);
      expect(sorted(uidsOf(pages))).toEqual(sorted(sessions.map(({ uid }) => uid).filter((uid) => uid !== third)));
      expect(Math.max(...pages.map(({ length }) => length))).toBe(Math.min(limit, 19));
      const shown = pages.flat().find(({ uid }) => uid === second);
      expect(shown).toEqual((await serverCall("GET", `/v3/users/${second}/push_tokens`, {}, "other")).body.data);
    }
    expect(await walk(of("other"))).toHaveLength(1);
  });

  it("names who holds tokens from the first page to the last exactly once, whatever changes between them", async ({
    expect,
  }) => {
    const stable = await users("caseless", 30);
    const others = await users("caseless", 5);
    let at = 0;
    const pages = await walk(of("caseless"), "limit=2", async () => {
      const [stays, comesAndGoes] = [stable[at % stable.length], others[at % others.length]];
      at += 1;
      await stays?.register({ fcmToken: uniqueToken() });
      await comesAndGoes?.delete();
      await users("caseless", 1);
      await comesAndGoes?.register({ fcmToken: uniqueToken() });
    });
    const seen = uidsOf(pages);
    expect(pages.length).toBeGreaterThan(15);
    for (const { uid } of stable) expect(seen.filter((each) => each === uid)).toHaveLength(1);
    expect(new Set(seen).size).toBe(seen.length);
  });

  it("shows the kind and the platform asked for, and muted devices where they are", async ({ expect }) => {
    const [web, both, muted] = await users("shared", 3, () => ({ fcmToken: uniqueToken(), platform: "web" }));
    if (web === undefined || both === undefined || muted === undefined) throw new Error("no users");
    await both.register({ apnsToken: uniqueToken() });
    const asking = { id: muted.id, issuedAt: Date.now(), usableUntil: null };
    await (await userObject("shared", muted.uid)).mute({ session: asking, of: muted.id, muted: true });
    const found = async (query: string) => {
      const pages = (await walk(of("shared"), query)).flat();
      return pages.map(({ uid, pushTokens }) => `${uid} ${pushTokens.map(({ kind }) => kind).join()}`).sort();
    };
    expect(await found("")).toEqual(sorted([`${web.uid} fcm`, `${both.uid} fcm,apns`]));
    expect(await found("includeMuted=true")).toEqual(
      sorted([`${web.uid} fcm`, `${both.uid} fcm,apns`, `${muted.uid} fcm`]),
    );
    expect(await found("kind=APNS&kind=")).toEqual([`${both.uid} apns`]);
    expect(await found("platform=web&platform=web")).toEqual(sorted([`${web.uid} fcm`, `${both.uid} fcm`]));
    expect(await found("platform=ios&kind=fcm&includeMuted=true")).toEqual([]);
    const pages = await walk(of("shared"), "kind=voip&limit=1");
    expect(pages.length).toBeGreaterThan(1);
    expect(pages.flat()).toEqual([]);
  });

  it.for([
    ["limit=0", "limit"],
    ["limit=1001", "limit"],
    ["limit=ten", "limit"],
    ["limit=1.5", "limit"],
    ["limit=1&limit=2", "limit"],
    ["kind=sms", "kind"],
    ["platform=symbian", "platform"],
    ["includeMuted=perhaps", "includeMuted"],
    ["cursor=x", "cursor"],
    [`cursor=${btoa("1:8:8:").replaceAll("=", "")}`, "cursor"],
    [`cursor=${btoa("2:8:0:").replaceAll("=", "")}`, "cursor"],
    [`cursor=${btoa("1:16:0:").replaceAll("=", "")}`, "cursor"],
    [`cursor=${btoa("1:8:0:-1").replaceAll("=", "")}`, "cursor"],
    ["cursor=%00", "cursor"],
  ])("refuses ?%s, and names the parameter", async ([query, field], { expect }) => {
    const { status, body } = await of("test")(`/v3/push_tokens?${query}`);
    expect([status, Object.keys(body.error.details)]).toEqual([400, [field]]);
    if (field === "cursor") expect(body.error.details.cursor[0]).toContain("Begin again without it");
  });

  it("has cursors that name nobody, and that another directory refuses", async ({ expect }) => {
    const [alice] = await users("test", 3);
    const { body } = await of("test")("/v3/push_tokens?limit=1");
    expect(atob(body.data.cursor)).toMatch(/^1:8:\d+:\d*$/);
    expect(atob(body.data.cursor)).not.toContain(alice?.uid);
    const rebuilt = envWith("test", { directory: { objects: 8, epoch: 2 } });
    expect((await of("test", rebuilt)(`/v3/push_tokens?cursor=${body.data.cursor}`)).status).toBe(400);
    expect((await of("test", rebuilt)("/v3/push_tokens")).body).toEqual({ data: { users: [] } });
  });

  it("calls each directory object at most once per page, one after the other, and none of users", async ({
    expect,
  }) => {
    await users("limited", 3);
    let underWay = 0;
    const { namespace, calls } = directory(async (call) => {
      underWay += 1;
      expect(underWay).toBe(1);
      const answer = await call();
      underWay -= 1;
      return answer;
    });
    const asked = faultyFor(env.USER_TOKENS, () => true, silent);
    await of("limited", { DIRECTORY: namespace, USER_TOKENS: asked.namespace })("/v3/push_tokens");
    expect(calls).toHaveLength(8);
    expect(new Set(calls.map(({ name }) => name)).size).toBe(8);
    expect(asked.calls).toEqual([]);
  });

  it("calls 8 of more directory objects per page, and finds everybody all the same", async ({ expect }) => {
    const { namespace, calls } = directory((call) => call());
    const many = { ...envWith("test", { directory: { objects: 40, epoch: 7 } }), DIRECTORY: namespace };
    const pages = await walk(of("test", many));
    expect(pages.length).toBe(5);
    expect(calls.length).toBe(40);
    expect(PAGE_CALLS_MAX).toBe(8);
  });

  it.for([
    ["silent", silent],
    ["lost", lost],
  ] as const)(
    "is a 503 where a directory object is %s: a list cannot say whom it lacks",
    async ([, fault], { expect }) => {
      const { namespace } = directory(fault, (name) => name.endsWith(":7"));
      const reply = await of("rated-key", { DIRECTORY: namespace })("/v3/push_tokens");
      expect(reply.status).toBe(503);
      expect(reply.headers.get("retry-after")).toBe("2");
    },
  );
});

describe("users whom only their own objects know", () => {
  it("are asked for, 40 per page, and nobody is left out", async ({ expect }) => {
    const sessions = await users("sender-ids", FALLBACK_CALLS_MAX + 8);
    for (const { uid } of sessions) await show("sender-ids", uid, { format: 99, tokens: "of a later release" });
    const asked = faultyFor(env.USER_TOKENS, () => false, silent);
    const perPage: number[] = [];
    const pages = await walk(of("sender-ids", { USER_TOKENS: asked.namespace }), "limit=1000", async () => {
      perPage.push(asked.calls.splice(0).length);
    });
    expect(perPage).toEqual([FALLBACK_CALLS_MAX, 8]);
    expect(sorted(uidsOf(pages))).toEqual(sorted(sessions.map(({ uid }) => uid)));
  });

  it("and who do not answer, are a 503", async ({ expect }) => {
    const [session] = await users("caseless", 1);
    await show("caseless", session?.uid ?? "", { format: 99 });
    const { namespace } = faultyFor(env.USER_TOKENS, () => true, lost);
    expect((await of("caseless", { USER_TOKENS: namespace })("/v3/push_tokens?limit=1000")).status).toBe(503);
  });
});

describe("retention", () => {
  it("is exact in the list, and never too strict in the counts", async ({ expect }) => {
    const start = Date.now();
    vi.useFakeTimers({ toFake: ["Date"], now: start });
    const [kept] = await users("origins", 2);
    const token = uniqueToken();
    await kept?.register({ fcmToken: token });
    vi.setSystemTime(start + 20 * DAY_MS);
    await kept?.register({ fcmToken: token });
    vi.setSystemTime(start + 271 * DAY_MS);
    expect(uidsOf(await walk(of("origins")))).toEqual([kept?.uid]);
    expect((await of("origins")("/v3/push_tokens/counts")).body.data.users).toBe(2);
    vi.setSystemTime(start + 361 * DAY_MS);
    expect(await walk(of("origins"))).toEqual([[]]);
    expect((await of("origins")("/v3/push_tokens/counts")).body.data.users).toBe(0);
  });
});

describe("a page", () => {
  it("has 8 MiB at most", async ({ expect }) => {
    const uids = Array.from({ length: 90 }, uniqueUid);
    const tokens = JSON.stringify([{ token: "字".repeat(TOKEN_BYTES_PER_USER_MAX) }]);
    for (const uid of uids) await show("keys-all", uid, { tokens });
    const bytes: number[] = [];
    const { namespace, calls } = directory((call) => call());
    const get: Get = async (path) => {
      const reply = await of("keys-all", { ...WITH_KEYS_ALL, DIRECTORY: namespace })(path);
      const names = calls.splice(0).map(({ name }) => name);
      expect(names).toEqual([...new Set(names)]);
      bytes.push(new TextEncoder().encode(reply.text).byteLength);
      return reply;
    };
    const pages = await walk(get, "limit=1000");
    expect(sorted(uidsOf(pages))).toEqual(sorted(uids));
    expect(Math.max(...bytes)).toBeLessThan(LOOKUP_BYTES_MAX + 100);
    expect(pages.length).toBeLessThan(10);
  });

  const { APP_TEST, SECRETS_TEST } = env as unknown as Record<string, object>;
  const WITH_KEYS_ALL = { APP_ALL: { ...APP_TEST, appId: "keys-all" }, SECRETS_ALL: SECRETS_TEST };
});

describe("GET /v3/push_tokens/counts", () => {
  const counts = async (app: string, bindings: object = {}) => of(app, bindings)("/v3/push_tokens/counts");

  it("counts users and registrations, by kind, platform and age", async ({ expect }) => {
    const start = Date.now();
    vi.useFakeTimers({ toFake: ["Date"], now: start });
    await users("rated", 1, () => ({ fcmToken: uniqueToken(), platform: "web" }));
    vi.setSystemTime(start + 40 * DAY_MS);
    const phones = await users("rated", 1, () => ({ apnsToken: uniqueToken(), voipToken: uniqueToken() }));
    const asking = { id: phones[0]?.id ?? "", issuedAt: Date.now(), usableUntil: null };
    const object = await userObject("rated", phones[0]?.uid ?? "");
    await object.mute({ session: asking, of: asking.id, muted: true });
    const [left] = await users("rated", 1);
    await left?.logout();
    expect((await counts("rated")).body).toEqual({
      data: {
        users: 2,
        registrations: 3,
        muted: 2,
        byKind: { fcm: 1, apns: 1, voip: 1 },
        byPlatform: { ios: 2, web: 1, android: 0 },
        byAge: { 30: 2, 90: 1, 180: 0, 270: 0, more: 0 },
      },
    });
    for (const [days, byAge] of [
      [89, { 30: 0, 90: 3, 180: 0, 270: 0, more: 0 }],
      [90, { 30: 0, 90: 2, 180: 1, 270: 0, more: 0 }],
      [269, { 30: 0, 90: 0, 180: 0, 270: 3, more: 0 }],
      [270, { 30: 0, 90: 0, 180: 0, 270: 2, more: 1 }],
    ] as const) {
      vi.setSystemTime(start + days * DAY_MS);
      expect((await counts("rated")).body.data.byAge).toEqual(byAge);
    }
  });

  it("counts in steps where there are many, with a cursor", async ({ expect }) => {
    const { calls, namespace } = directory(on("count", (call, _, [after, , since, now]) => call(after, 1, since, now)));
    const sum = { users: 0, registrations: 0 };
    let cursor = "";
    do {
      const { body } = await of("other", { DIRECTORY: namespace })(`/v3/push_tokens/counts?cursor=${cursor}`);
      sum.users += body.data.users;
      sum.registrations += body.data.registrations;
      cursor = body.data.cursor ?? "";
      expect(calls.splice(0).length).toBeLessThanOrEqual(COUNT_CALLS_MAX);
    } while (cursor !== "");
    expect(sum).toEqual({ users: 19, registrations: 19 });
    expect((await counts("other")).body.data).toMatchObject(sum);
    expect((await counts("other")).body.data).not.toHaveProperty("cursor");
  });

  it("is a 503 where a directory object fails, and a 400 for a wrong cursor", async ({ expect }) => {
    const { namespace } = directory(lost, (name) => name.endsWith(":7"));
    expect((await counts("other", { DIRECTORY: namespace })).status).toBe(503);
    const { status, body } = await of("other")("/v3/push_tokens/counts?cursor=1");
    expect([status, Object.keys(body.error.details)]).toEqual([400, ["cursor"]]);
  });
});

it.for(["/v3/push_tokens", "/v3/push_tokens/counts", "/v3/push_tokens?cursor=MTo4OjA6"])(
  "while the directory is not complete, %s is a 503 that says what to do",
  async (path, { expect }) => {
    const rebuilding = envWith("test", { directory: { objects: 8, epoch: 1, complete: false } });
    const { status, body } = await of("test", rebuilding)(path);
    expect([status, body.error.code]).toEqual([503, "ERR_OPERATION_FAILED"]);
    expect(body.error.message).toContain("npm run directory -- --rebuild");
  },
);
