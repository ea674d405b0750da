// What a provider's answer does to a registration: exactly what is dead goes, nothing that may have come back.
import { env } from "cloudflare:workers";
import { afterEach, describe, it, vi } from "vitest";
import { createApp } from "../../src/app.ts";
import { APNS_CODES, FCM_CODES } from "../../src/domain/feedback-codes.ts";
import { userHash, userTokensName } from "../../src/durable/names.ts";
import type { FeedbackReport } from "../../src/user-tokens/outcomes.ts";
import { API_KEYS } from "../support/apps.ts";
import { login, serverCall, type TestSession, uniqueToken } from "../support/client.ts";
import { platformErrors, withFault } from "../support/faults.ts";
import { metered } from "../support/meter.ts";

const DAY_MS = 24 * 3_600_000;
const WINDOW_MS = 7 * DAY_MS;

type Item = Record<string, unknown>;

async function report(items: Item[], app = "test") {
  return serverCall("POST", "/v3/push_tokens/feedback", { body: { items } }, app);
}

async function outcomes(items: Item[], app = "test"): Promise<string[]> {
  const { body } = await report(items, app);
  return body.data.items.map(({ outcome }: { outcome: string }) => outcome);
}

/** The clock of sender and registry at `time`: a report is never of later than now. */
function setClock(time: number): void {
  vi.useFakeTimers({ toFake: ["Date"], now: time });
}

/** A user with an FCM and an APNs token. */
async function registered(app = "test") {
  const session = await login(undefined, { app });
  const [fcm, apns] = [uniqueToken("fcm"), uniqueToken("apns")];
  await session.register({ fcmToken: fcm, apnsToken: apns });
  return { session, fcm, apns, at: Date.now() };
}

async function suspects(session: TestSession): Promise<string[]> {
  const { body } = await serverCall("GET", `/v3/users/${session.uid}/push_tokens`, {}, session.app);
  return body.data.pushTokens
    .filter(({ suspect }: { suspect: boolean }) => suspect)
    .map(({ token }: { token: string }) => token);
}

/** Time passes. */
function later(ms: number): void {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + ms });
}

afterEach(() => {
  vi.useRealTimers();
});

describe("a report that a token is dead", () => {
  it("prunes a token that was not registered since, a refresh window ago or longer", async ({ expect }) => {
    const { session, fcm, apns, at } = await registered();
    setClock(at + 25 * DAY_MS);
    const items = [
      { token: fcm, kind: "fcm", code: "UNREGISTERED", sentAt: at + WINDOW_MS + 1000 },
      { token: apns, kind: "apns", code: "Unregistered", at: at + WINDOW_MS + 1000 },
    ];
    expect(await outcomes(items)).toEqual(["pruned", "pruned"]);
    expect(await session.tokens()).toEqual([]);
    const { body } = await serverCall("GET", `/v3/users/${session.uid}/export`);
    expect(body.data.changes.slice(-2)).toMatchObject([
      { change: "pruned", code: "UNREGISTERED", kind: "fcm" },
      { change: "pruned", code: "Unregistered", kind: "apns" },
    ]);
    expect(await outcomes(items)).toEqual(["unknown", "unknown"]);
  });

  it("prunes nothing if it is older than the registration", async ({ expect }) => {
    const { session, fcm, apns, at } = await registered();
    expect(
      await outcomes([
        { token: apns, kind: "apns", code: "Unregistered", at: at - DAY_MS },
        { token: fcm, kind: "fcm", code: "UNREGISTERED", sentAt: at - DAY_MS },
      ]),
    ).toEqual(["kept", "kept"]);
    expect((await session.tokens()).sort()).toEqual([apns, fcm].sort());
    expect(await suspects(session)).toEqual([]);
  });

  it("makes a token suspect within the refresh window, because the device may have come back unseen", async ({
    expect,
  }) => {
    const { session, fcm } = await registered();
    expect(await outcomes([{ token: fcm, kind: "fcm", code: "UNREGISTERED" }])).toEqual(["suspect"]);
    expect(await session.tokens()).toContain(fcm);
    expect(await suspects(session)).toEqual([fcm]);
  });

  it("prefers the provider's time to the time of sending, and that to now", async ({ expect }) => {
    const { apns, at } = await registered();
    const late = at + WINDOW_MS + 1000;
    setClock(late);
    expect(
      await outcomes([
        { token: apns, kind: "apns", code: "Unregistered", at: at - DAY_MS, sentAt: late },
        { token: apns, kind: "apns", code: "Unregistered", at: null, sentAt: late },
      ]),
    ).toEqual(["kept", "pruned"]);
  });
});

// pushy#674: what APNs' time means is not sure either, so only a registration that is older counts.
describe("a report from the future", () => {
  /** Reports now, whatever the times say. */
  async function outcomesNow(items: Item[]): Promise<string[]> {
    const { body } = await serverCall("POST", "/v3/push_tokens/feedback", { body: { items } });
    return body.data.items.map(({ outcome }: { outcome: string }) => outcome);
  }

  it("counts as one of now, so a sender's clock that is ahead prunes nothing", async ({ expect }) => {
    const { session, fcm, apns, at } = await registered();
    const ahead = at + WINDOW_MS + DAY_MS;
    expect(
      await outcomesNow([
        { token: fcm, kind: "fcm", code: "UNREGISTERED", sentAt: ahead },
        { token: apns, kind: "apns", code: "Unregistered", at: ahead },
      ]),
    ).toEqual(["suspect", "suspect"]);
    expect((await session.tokens()).sort()).toEqual([apns, fcm].sort());
  });

  it("does not make two of one batch out of one", async ({ expect }) => {
    const { apns, at } = await registered();
    const bad = { token: apns, kind: "apns", code: "BadDeviceToken" };
    expect(await outcomesNow([bad, { ...bad, at: at + WINDOW_MS + DAY_MS }])).toEqual(["suspect", "suspect"]);
  });
});

describe("a suspect", () => {
  it("is cleared by the device's next registration, which writes", async ({ expect }) => {
    const { session, fcm } = await registered();
    await outcomes([{ token: fcm, kind: "fcm", code: "UNREGISTERED" }]);
    await session.register({ fcmToken: fcm });
    expect(await suspects(session)).toEqual([]);
  });

  it("is pruned by a report a refresh window after the first, and not before", async ({ expect }) => {
    const { session, apns, at } = await registered();
    const bad = (time: number) => [{ token: apns, kind: "apns", code: "BadDeviceToken", at: time }];
    const first = at + 1000;
    setClock(at + 25 * DAY_MS);
    expect(await outcomes(bad(first))).toEqual(["suspect"]);
    expect(await outcomes(bad(first + WINDOW_MS - 1))).toEqual(["suspect"]);
    expect(await outcomes(bad(first + WINDOW_MS))).toEqual(["pruned"]);
    expect(await session.tokens()).not.toContain(apns);
  });

  it("that came back is not pruned by a report of before", async ({ expect }) => {
    const { session, apns, at } = await registered();
    const bad = (time: number) => [{ token: apns, kind: "apns", code: "BadDeviceToken", at: time }];
    setClock(at + 1000);
    await outcomes(bad(at + 1000));
    setClock(at + WINDOW_MS + DAY_MS);
    await session.register({ apnsToken: apns });
    expect(await outcomes(bad(at + WINDOW_MS + 1000))).toEqual(["kept"]);
    expect(await session.tokens()).toContain(apns);
  });
});

describe("a report that claims to be from the future", () => {
  it("is taken as of now: it prunes nothing that may be younger than it", async ({ expect }) => {
    const { session, fcm, apns, at } = await registered();
    const future = at + 25 * DAY_MS;
    expect(
      await outcomes([
        { token: fcm, kind: "fcm", code: "UNREGISTERED", sentAt: future },
        { token: apns, kind: "apns", code: "Unregistered", at: future },
      ]),
    ).toEqual(["suspect", "suspect"]);
    expect((await session.tokens()).sort()).toEqual([apns, fcm].sort());
  });

  it("makes a token suspect as of now: the next one a refresh window later prunes it", async ({ expect }) => {
    const { session, apns, at } = await registered();
    const bad = (time: number) => [{ token: apns, kind: "apns", code: "BadDeviceToken", at: time }];
    expect(await outcomes(bad(at + 25 * DAY_MS))).toEqual(["suspect"]);
    expect(await outcomes(bad(at + 25 * DAY_MS))).toEqual(["suspect"]);
    later(WINDOW_MS + 1000);
    expect(await outcomes(bad(Date.now()))).toEqual(["pruned"]);
    expect(await session.tokens()).not.toContain(apns);
  });
});

describe("reports of one batch on one token", () => {
  it("count as one: two doubtful ones a window apart do not prune", async ({ expect }) => {
    const { session, fcm, apns, at } = await registered();
    later(2 * WINDOW_MS);
    const bad = (time: number) => ({ token: apns, kind: "apns", code: "BadDeviceToken", at: time });
    const items = [bad(at + 1000), bad(at + WINDOW_MS + 1000), bad(Date.now())];
    expect(await outcomes(items)).toEqual(["suspect", "suspect", "suspect"]);
    expect((await session.tokens()).sort()).toEqual([apns, fcm].sort());
    // In the next batch they are another report.
    expect(await outcomes([bad(Date.now())])).toEqual(["pruned"]);
  });

  it("count as one where the uid is named for some", async ({ expect }) => {
    const { session, apns, at } = await registered();
    later(2 * WINDOW_MS);
    const bad = (time: number) => ({ token: apns, kind: "apns", code: "BadDeviceToken", at: time });
    const items = [bad(at + 1000), { ...bad(Date.now()), uid: session.uid }];
    expect(await outcomes(items)).toEqual(["suspect", "suspect"]);
  });

  it("do not hold back one that proves that the token is dead", async ({ expect }) => {
    const { apns, at } = await registered();
    later(2 * WINDOW_MS);
    const item = { token: apns, kind: "apns" };
    const items = [
      { ...item, code: "BadDeviceToken", at: at + 1000 },
      { ...item, code: "Unregistered", at: at + WINDOW_MS + 1000 },
    ];
    expect(await outcomes(items)).toEqual(["suspect", "pruned"]);
  });
});

describe("a report that does not blame the token", () => {
  const innocent = (codes: typeof FCM_CODES) =>
    Object.keys(codes).filter((code) => codes[code] === "not_about_the_token");

  it("never removes it and never makes it suspect, whatever the code and the time", async ({ expect }) => {
    const { session, fcm, apns, at } = await registered();
    const late = at + 25 * DAY_MS;
    setClock(late);
    const items = [
      ...innocent(FCM_CODES).map((code) => ({ token: fcm, kind: "fcm", code, at: late })),
      ...innocent(APNS_CODES).map((code) => ({ token: apns, kind: "apns", code, at: late })),
    ];
    expect(new Set(await outcomes(items))).toEqual(new Set(["kept"]));
    const unknown = [
      { token: fcm, kind: "fcm", code: "A_CODE_OF_NEXT_YEAR", at: late },
      // The other provider's word for it: FCM has no such code.
      { token: fcm, kind: "fcm", code: "BadDeviceToken", at: late },
      { token: fcm, kind: "fcm", code: "constructor", at: late },
    ];
    expect(await outcomes(unknown)).toEqual(["unknown_code", "unknown_code", "unknown_code"]);
    expect((await session.tokens()).sort()).toEqual([apns, fcm].sort());
    expect(await suspects(session)).toEqual([]);
  });
});

describe("the token that is reported", () => {
  it("is compared whole: the slot's next token stays", async ({ expect }) => {
    const { session, fcm, at } = await registered();
    const next = uniqueToken();
    await session.register({ fcmToken: next });
    setClock(at + 25 * DAY_MS);
    const item = { token: fcm, kind: "fcm", code: "UNREGISTERED", at: at + 25 * DAY_MS, uid: session.uid };
    expect(await outcomes([item])).toEqual(["unknown"]);
    expect(await session.tokens()).toContain(next);
  });

  it("is found through its owner, also after a handover, and by uid where it is named", async ({ expect }) => {
    const { session, fcm, at } = await registered();
    const next = await login();
    await next.register({ fcmToken: fcm });
    setClock(at + 25 * DAY_MS);
    const item = { token: fcm, kind: "fcm", code: "UNREGISTERED", at: at + 25 * DAY_MS };
    expect(await outcomes([{ ...item, uid: session.uid }])).toEqual(["unknown"]);
    expect(await outcomes([item])).toEqual(["pruned"]);
    expect(await next.tokens()).toEqual([]);
  });

  it("goes from all of its users under policy shared", async ({ expect }) => {
    const { session, fcm, at } = await registered("shared");
    const other = await login(undefined, { app: "shared" });
    await other.register({ fcmToken: fcm });
    setClock(at + 25 * DAY_MS);
    const item = { token: fcm, kind: "fcm", code: "UNREGISTERED", at: at + 25 * DAY_MS };
    expect(await outcomes([item], "shared")).toEqual(["pruned"]);
    expect([...(await session.tokens()), ...(await other.tokens())]).not.toContain(fcm);
  });

  it("of another app is unknown", async ({ expect }) => {
    const { session, fcm, at } = await registered();
    setClock(at + 25 * DAY_MS);
    const item = { token: fcm, kind: "fcm", code: "UNREGISTERED", at: at + 25 * DAY_MS };
    expect(await outcomes([item, { ...item, uid: session.uid }], "other")).toEqual(["unknown", "unknown"]);
    expect(await session.tokens()).toContain(fcm);
  });
});

describe("a batch", () => {
  it("of 500 reports is answered item by item, in order", async ({ expect }) => {
    const { fcm, apns, at } = await registered();
    const late = at + 25 * DAY_MS;
    setClock(late);
    const items = Array.from({ length: 500 }, (_, i) => ({
      token: `nobody's-${i}`,
      kind: "fcm",
      code: "UNREGISTERED",
      at: late,
    }));
    items[7] = { token: fcm, kind: "fcm", code: "UNREGISTERED", at: late };
    items[499] = { token: apns, kind: "apns", code: "ExpiredToken", at: late };
    const answers = await outcomes(items);
    expect(answers).toHaveLength(500);
    expect(answers[7]).toBe("pruned");
    expect(answers[499]).toBe("pruned");
    expect(answers.filter((outcome) => outcome === "unknown")).toHaveLength(498);
  });

  it("of 500 reports with the longest tokens is read whole; a larger body is 413", async ({ expect }) => {
    const items = Array.from({ length: 500 }, (_, i) => ({
      token: `${i}-`.padEnd(4096, "x"),
      kind: "fcm",
      code: "UNAVAILABLE",
      uid: "u".repeat(255),
    }));
    expect(new Set(await outcomes(items))).toEqual(new Set(["kept"]));
    const { status, body } = await report([...items, { padding: "x".repeat(4 * 1024 * 1024) }]);
    expect({ status, code: body.error.code }).toEqual({ status: 413, code: "ERR_BAD_REQUEST" });
  });

  it("answers a wrong item in its place, says why, and serves the rest", async ({ expect }) => {
    const { session, fcm, apns, at } = await registered();
    setClock(at + 25 * DAY_MS);
    const good = { token: fcm, kind: "fcm", code: "UNREGISTERED", at: at + 25 * DAY_MS };
    const wrong: [unknown, string][] = [
      // Apple's page names no unit (openradar-mirror#7571); pushy#237 made milliseconds of milliseconds: the year 48075.
      [{ ...good, at: Math.floor(at / 1000) }, "The at field must be epoch milliseconds, not seconds."],
      [{ ...good, at: at * 1000 }, "The at field must not be more than 30 days ahead."],
      [{ ...good, at: -1 }, "The at field must be epoch milliseconds"],
      [{ ...good, sentAt: at + 60 * DAY_MS }, "The sentAt field must not be more than 30 days ahead."],
      [{ ...good, at: "2026-01-01" }, "The at field must be"],
      [{ ...good, at: at + 0.5 }, "The at field must be"],
      [{ ...good, kind: "web" }, "The kind field must be one of fcm, apns, voip."],
      // One bad token took the others with it: PushSharp#713, #822, NotificationPusher#123, django-push-notifications#173,
      // exponent-server-sdk-php#23.
      [{ ...good, kind: "expo", token: "ExponentPushToken[iCWoARH_b_IqDfTnnB7Nmr]" }, "The kind field must be one of"],
      [{ ...good, token: null }, "The token field must be a string."],
      [{ ...good, token: "<7f7640a6 aafef467>" }, "The token field must hold"],
      [{ ...good, token: "" }, "The token field must not be empty."],
      [{ ...good, token: "a\nb" }, "The token field must hold"],
      [{ ...good, code: 410 }, "The code field must be the provider's code"],
      [{ ...good, code: "x".repeat(101) }, "The code field must not be longer than 100 characters."],
      [{ ...good, code: undefined }, "The code field holds no code."],
      [{ ...good, code: {} }, "The code field holds no code."],
      [{ ...good, code: "Requested entity was not found." }, "The code field holds no code."],
      [{ ...good, uid: "" }, "The uid field must not be empty."],
      [null, "The body field"],
      ["UNREGISTERED", "The body field"],
    ];
    const items = [...wrong.map(([item]) => item), good, { ...good, token: apns, kind: "APNs", code: "unregistered" }];
    const { status, body } = await report(items as Item[]);
    expect(status).toBe(200);
    const answers: { outcome: string; why: string }[] = body.data.items;
    expect(answers.map(({ outcome }) => outcome)).toEqual([...wrong.map(() => "invalid"), "pruned", "pruned"]);
    for (const [i, [, why]] of wrong.entries()) expect(answers[i]?.why).toContain(why);
    expect(await session.tokens()).toEqual([]);
  });

  it.for([
    ["no list", { items: {} }],
    ["no item", { items: [] }],
    ["501 items", { items: Array.from({ length: 501 }, () => ({})) }],
    ["nothing", {}],
  ] as const)("of the wrong shape is refused whole: %s", async ([, body], { expect }) => {
    const reply = await serverCall("POST", "/v3/push_tokens/feedback", { body });
    expect(reply).toMatchObject({ status: 400, body: { error: { details: { items: [expect.any(String)] } } } });
  });

  it("serves the rest when an object does not answer, and says which report to repeat", async ({ expect }) => {
    const { session, fcm, at } = await registered();
    const { session: other, fcm: otherToken } = await registered();
    setClock(at + 25 * DAY_MS);
    const item = { kind: "fcm", code: "UNREGISTERED", at: at + 25 * DAY_MS };
    const silent = userTokensName("test", await userHash("test", session.uid));
    const { namespace } = withFault(env.USER_TOKENS, (call) => call());
    const broken = new Proxy(namespace, {
      get: (target, property) =>
        property === "getByName"
          ? (name: string) =>
              name === silent
                ? { feedback: () => Promise.reject(platformErrors.connectionLost()) }
                : target.getByName(name)
          : Reflect.get(target, property),
    });
    const response = await createApp().request(
      "https://registry.test/v3/push_tokens/feedback",
      {
        method: "POST",
        headers: { appId: "test", apikey: API_KEYS.sender },
        body: JSON.stringify({
          items: [
            { ...item, token: fcm },
            { ...item, token: otherToken, uid: other.uid },
          ],
        }),
      },
      { ...env, USER_TOKENS: broken },
    );
    const { data } = await response.json<{ data: { items: { outcome: string }[] } }>();
    expect(data.items.map(({ outcome }) => outcome)).toEqual(["unavailable", "pruned"]);
    expect(await session.tokens()).toContain(fcm);
  });
});

describe("a report that one of APNs' hosts took a push", () => {
  const taken = (token: string, environment: unknown) => ({ token, kind: "apns", code: "delivered", environment });

  async function deviceOf({ uid, app }: TestSession, token: string) {
    const { body } = await serverCall("GET", `/v3/users/${uid}/push_tokens`, {}, app);
    return body.data.pushTokens.find((each: { token: string }) => each.token === token)?.device;
  }

  it("corrects the registration's device.environment, and nothing else of it", async ({ expect }) => {
    const session = await login();
    const [apns, voip] = [uniqueToken("apns"), uniqueToken("voip")];
    const device = { name: "Alice's iPhone", bundleId: "com.acme" };
    await session.register({ apnsToken: apns, voipToken: voip, device });
    const before = (await serverCall("GET", `/v3/users/${session.uid}/export`)).body.data;
    const report = async () =>
      expect(await outcomes([{ ...taken(apns, " Sandbox "), code: "Delivered" }])).toEqual(["corrected"]);
    expect((await metered(report)).rowsWritten).toBeLessThanOrEqual(5);
    const after = (await serverCall("GET", `/v3/users/${session.uid}/export`)).body.data;
    const named = { device: { ...device, environment: "sandbox" } };
    expect(after).toEqual({
      ...before,
      directory: expect.anything(),
      registrations: before.registrations.map((each: { kind: string }) =>
        each.kind === "apns" ? { ...each, labels: named } : each,
      ),
    });
    expect(await outcomes([taken(apns, "production")])).toEqual(["corrected"]);
    expect(await deviceOf(session, apns)).toEqual({ ...device, environment: "production" });
    expect(await deviceOf(session, voip)).toEqual(device);
    expect(await outcomes([{ ...taken(voip, "sandbox"), kind: "voip", uid: session.uid }])).toEqual(["corrected"]);
    expect(await deviceOf(session, voip)).toEqual({ ...device, environment: "sandbox" });
  });

  it("writes nothing where the registration names that host already", async ({ expect }) => {
    const session = await login();
    const apns = uniqueToken("apns");
    await session.register({ apnsToken: apns, device: { environment: "sandbox" } });
    const report = async () =>
      expect(await outcomes([{ ...taken(apns, "sandbox"), uid: session.uid }])).toEqual(["kept"]);
    expect(await metered(report)).toMatchObject({ calls: ["UserTokens.feedback"], rowsWritten: 0 });
  });

  it("costs later launches nothing, and yields to the device's own word", async ({ expect }) => {
    const session = await login();
    const apns = uniqueToken("apns");
    await session.register({ apnsToken: apns, device: { bundleId: "com.acme" } });
    await outcomes([taken(apns, "sandbox")]);
    const launch = await metered(() => session.register({ apnsToken: apns, device: { bundleId: "com.acme" } }));
    expect(launch).toMatchObject({ calls: ["UserTokens.register"], rowsWritten: 0 });
    expect(await deviceOf(session, apns)).toEqual({ bundleId: "com.acme", environment: "sandbox" });
    later(1000);
    await session.register({ apnsToken: apns, device: { environment: "production" } });
    expect(await deviceOf(session, apns)).toMatchObject({ environment: "production" });
    expect(await outcomes([{ ...taken(apns, "sandbox"), sentAt: Date.now() - 1 }])).toEqual(["kept"]);
    expect(await deviceOf(session, apns)).toMatchObject({ environment: "production" });
  });

  it("leaves a suspect one: APNs takes pushes for apps that are gone, too", async ({ expect }) => {
    const { session, apns, at } = await registered();
    await outcomes([{ token: apns, kind: "apns", code: "BadDeviceToken" }]);
    expect(await outcomes([taken(apns, "sandbox")])).toEqual(["corrected"]);
    expect(await suspects(session)).toEqual([apns]);
    setClock(at + 2 * WINDOW_MS);
    expect(await outcomes([{ token: apns, kind: "apns", code: "BadDeviceToken" }])).toEqual(["pruned"]);
  });

  it("touches the very token that is stored, wherever it is: not what came after it, not another app's", async ({
    expect,
  }) => {
    const { session, apns } = await registered();
    expect(await outcomes([taken(apns, "sandbox")], "other")).toEqual(["unknown"]);
    const next = uniqueToken("apns");
    await session.register({ apnsToken: next });
    expect(await outcomes([{ ...taken(apns, "sandbox"), uid: session.uid }])).toEqual(["unknown"]);
    expect(await deviceOf(session, next)).toBeUndefined();
    const taker = await login();
    await taker.register({ apnsToken: next });
    expect(await outcomes([taken(next, "sandbox")])).toEqual(["corrected"]);
    expect(await deviceOf(taker, next)).toEqual({ environment: "sandbox" });
  });

  it("must say which host; of FCM it says nothing, and beside another code it counts for nothing", async ({
    expect,
  }) => {
    const { session, apns, fcm } = await registered();
    const items = [
      taken(apns, undefined),
      taken(apns, "staging"),
      { ...taken(fcm, "sandbox"), kind: "fcm" },
      { token: apns, kind: "apns", code: "TooManyRequests", environment: "sandbox" },
      { token: apns, kind: "apns", code: "BadDeviceToken", environment: 7 },
    ];
    expect(await outcomes(items)).toEqual(["invalid", "invalid", "kept", "kept", "suspect"]);
    expect(await deviceOf(session, apns)).toBeUndefined();
  });

  it("is answered in its place, among reports of trouble with the same user's tokens", async ({ expect }) => {
    const { fcm, apns } = await registered();
    const other = await registered();
    const dead = { token: fcm, kind: "fcm", code: "UNREGISTERED" };
    const items = [taken(apns, "sandbox"), dead, taken(other.apns, "production"), taken(apns, "sandbox")];
    expect(await outcomes(items)).toEqual(["corrected", "suspect", "corrected", "kept"]);
  });

  it("is to be repeated where an object still runs code that knows no such report", async ({ expect }) => {
    const { fcm, apns } = await registered();
    const namespace = new Proxy(env.USER_TOKENS, {
      get: (target, property) =>
        property === "getByName"
          ? (name: string) => ({
              // Code of before takes no third argument.
              feedback: (reports: FeedbackReport[], windowMs: number) =>
                target.getByName(name).feedback(reports, windowMs),
            })
          : Reflect.get(target, property),
    });
    const items = [taken(apns, "sandbox"), { token: fcm, kind: "fcm", code: "UNREGISTERED" }];
    const response = await createApp().request(
      "https://registry.test/v3/push_tokens/feedback",
      { method: "POST", headers: { appId: "test", apikey: API_KEYS.sender }, body: JSON.stringify({ items }) },
      { ...env, USER_TOKENS: namespace },
    );
    const { data } = await response.json<{ data: { items: { outcome: string }[] } }>();
    expect(data.items.map(({ outcome }) => outcome)).toEqual(["unavailable", "suspect"]);
  });
});

describe("a sender's own words", () => {
  const APNS_ERROR = (timestamp: number) => ({
    device: "…",
    status: 410,
    response: { reason: "Unregistered", timestamp },
  });

  it.for<[string, Item]>([
    ["firebase-admin for Node (parse-server#9173)", { code: "messaging/registration-token-not-registered" }],
    ["firebase-admin for .NET (notifo#74)", { code: "Unregistered" }],
    ["firebase-admin for Python", { code: "UnregisteredError" }],
    ["legacy FCM (home-assistant mobile-apps-fcm-push#216)", { code: "NotRegistered" }],
    ["FCM's whole error", { error: { status: "NOT_FOUND", details: [{ errorCode: "UNREGISTERED" }] } }],
    [
      "FCM's whole reply as code",
      { code: { error: { status: "NOT_FOUND", details: [{ errorCode: "UNREGISTERED" }] } } },
    ],
  ])("prune what they call dead, and are recorded as FCM's: %s", async ([, said], { expect }) => {
    const { session, fcm, apns, at } = await registered();
    setClock(at + WINDOW_MS + 1000);
    expect(await outcomes([{ token: fcm, kind: "fcm", ...said }])).toEqual(["pruned"]);
    expect(await session.tokens()).toEqual([apns]);
    const { body } = await serverCall("GET", `/v3/users/${session.uid}/export`);
    expect(body.data.changes.at(-1)).toMatchObject({ change: "pruned", code: "UNREGISTERED" });
  });

  it("may say in the object when APNs knew, which counts before the time of sending", async ({ expect }) => {
    const { apns, at } = await registered();
    setClock(at + WINDOW_MS + 1000);
    const item = { token: apns, kind: "apns", sentAt: at + WINDOW_MS + 1000 };
    expect(await outcomes([{ ...item, error: APNS_ERROR(at - DAY_MS) }])).toEqual(["kept"]);
    expect(await outcomes([{ ...item, error: APNS_ERROR(at + WINDOW_MS) }])).toEqual(["pruned"]);
  });

  it.for([8, 29])("of a clock that is %i days ahead prune nothing that is young", async (days, { expect }) => {
    const { session, fcm, apns, at } = await registered();
    const ahead = at + days * DAY_MS;
    const items = [
      { token: fcm, kind: "fcm", code: "UNREGISTERED", sentAt: ahead },
      { token: apns, kind: "apns", code: "Unregistered", at: ahead },
    ];
    expect(await outcomes(items)).toEqual(["suspect", "suspect"]);
    expect(await outcomes(items)).toEqual(["suspect", "suspect"]);
    expect((await session.tokens()).sort()).toEqual([apns, fcm].sort());
  });

  it("that nobody is known to use are counted each time, and told once per hour without what may be a token", async ({
    expect,
  }) => {
    const points: unknown[] = [];
    const lines: string[] = [];
    const spy = vi.spyOn(console, "warn").mockImplementation((line: string) => void lines.push(line));
    const { fcm } = await registered();
    const items = ["token-is-gone", "token-is-gone", fcm.slice(0, 100)].map((code) => ({
      token: fcm,
      kind: "fcm",
      code,
    }));
    const response = await createApp().request(
      "https://registry.test/v3/push_tokens/feedback",
      { method: "POST", headers: { appId: "test", apikey: API_KEYS.sender }, body: JSON.stringify({ items }) },
      { ...env, METRICS: { writeDataPoint: (point: unknown) => void points.push(point) } },
    );
    spy.mockRestore();
    const { data } = await response.json<{ data: { items: { outcome: string }[] } }>();
    expect(data.items.map(({ outcome }) => outcome)).toEqual(["unknown_code", "unknown_code", "unknown_code"]);
    expect(points).toEqual(items.map(() => ({ indexes: ["test"], blobs: ["unknown_code", "fcm"], doubles: [1] })));
    const line = { level: "warn", message: "a sender reports a code that is not known", app: "test", kind: "fcm" };
    expect(lines.map((each) => JSON.parse(each))).toEqual([
      { ...line, code: "token-is-gone" },
      { ...line, code: "(not a word)" },
    ]);
  });
});
