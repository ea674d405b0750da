// Why a user does, or does not, get pushes: one test per verdict, each from the calls that lead to it.
import { runDurableObjectAlarm } from "cloudflare:test";
import { afterEach, describe, it, vi } from "vitest";
import { tokenHash } from "../../src/durable/names.ts";
import { API_KEYS } from "../support/apps.ts";
import { call, login, serverCall, type TestSession, uniqueToken, uniqueUid } from "../support/client.ts";
import { chatSession, cometchat } from "../support/cometchat.ts";
import { metered } from "../support/meter.ts";
import { userObject } from "../support/objects.ts";

const DAY_MS = 24 * 3_600_000;

function later(ms: number): void {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + ms });
}

afterEach(() => {
  vi.useRealTimers();
});

async function explained(uid: string, app = "test") {
  const { status, body } = await serverCall("GET", `/v3/users/${encodeURIComponent(uid)}/explain`, {}, app);
  if (status !== 200) throw new Error(JSON.stringify(body));
  return body.data;
}

async function verdict({ uid, app }: TestSession): Promise<string> {
  return (await explained(uid, app)).verdict.code;
}

/** A user with one device, which holds a token. */
async function withPhone(uid?: string) {
  const phone = await login(uid);
  const token = uniqueToken();
  await phone.register({ fcmToken: token });
  return { phone, token };
}

async function feedback(token: string, code: string): Promise<void> {
  const items = [{ token, kind: "fcm", code, at: Date.now() }];
  await serverCall("POST", "/v3/push_tokens/feedback", { body: { items } });
}

function mute(session: TestSession, muted = true) {
  return session.call("PATCH", `/v3.0/me/devices/${session.id}`, { body: { muted } });
}

describe("the verdict on a user who holds something", () => {
  it("is ok if one device may be pushed, whatever happened to others", async ({ expect }) => {
    const { phone } = await withPhone();
    const { phone: tablet } = await withPhone(phone.uid);
    const { phone: muted } = await withPhone(phone.uid);
    await tablet.logout();
    await mute(muted);
    const { uid, verdict: found, next, evidence, devices } = await explained(phone.uid);
    expect({ uid, code: found.code }).toEqual({ uid: phone.uid, code: "ok" });
    expect(found.sentence).toMatch(/^\w.*\.$/);
    expect(next).toMatch(/^\w.*\.$/);
    expect(evidence).toMatchObject([{ change: "registered", session: phone.id }]);
    expect(devices).toHaveLength(2);
    expect(devices).toContainEqual(
      expect.objectContaining({ id: phone.id, kinds: ["fcm"], platforms: ["android"], muted: false, suspect: false }),
    );
    expect(devices).toContainEqual(expect.objectContaining({ id: muted.id, muted: true }));
  });

  it("is all_suspect if a provider reported trouble with each token that may be pushed", async ({ expect }) => {
    const { phone, token } = await withPhone();
    const { phone: muted } = await withPhone(phone.uid);
    await mute(muted);
    await feedback(token, "SENDER_ID_MISMATCH");
    const { verdict: found, devices } = await explained(phone.uid);
    expect(found.code).toBe("all_suspect");
    expect(devices).toContainEqual(expect.objectContaining({ id: phone.id, suspect: true }));
    await phone.register({ fcmToken: token });
    expect(await verdict(phone)).toBe("ok");
  });

  it("is muted if the user muted every device", async ({ expect }) => {
    const { phone } = await withPhone();
    await mute(phone);
    expect(await explained(phone.uid)).toMatchObject({
      verdict: { code: "muted" },
      evidence: [{ change: "muted", session: phone.id }],
      devices: [{ id: phone.id, muted: true }],
    });
    await mute(phone, false);
    expect(await verdict(phone)).toBe("ok");
  });
});

describe("the verdict on a user who lost everything", () => {
  it("is taken if another user logged in on the device", async ({ expect }) => {
    const { phone: alice, token } = await withPhone();
    await (await login()).register({ fcmToken: token });
    const { verdict: found, evidence, devices, changes } = await explained(alice.uid);
    expect(found.code).toBe("taken");
    const short = (await tokenHash("fcm", token)).slice(0, 8);
    expect(evidence).toEqual([expect.objectContaining({ change: "taken_by_another_user", token: short })]);
    expect(devices).toEqual([]);
    expect(changes.map(({ change }: { change: string }) => change)).toEqual(["registered", "taken_by_another_user"]);
  });

  it("is pruned if a provider called the token dead, with its code", async ({ expect }) => {
    const { phone, token } = await withPhone();
    later(8 * DAY_MS);
    await feedback(token, "UNREGISTERED");
    expect(await explained(phone.uid)).toMatchObject({
      verdict: { code: "pruned" },
      evidence: [{ change: "pruned", code: "UNREGISTERED" }],
    });
  });

  it("is expired once the retention is over, before and after the alarm", async ({ expect }) => {
    const { phone } = await withPhone();
    later(270 * DAY_MS);
    expect(await explained(phone.uid)).toMatchObject({ verdict: { code: "expired" }, evidence: [], devices: [] });
    await runDurableObjectAlarm(await userObject("test", phone.uid));
    expect(await explained(phone.uid)).toMatchObject({
      verdict: { code: "expired" },
      evidence: [{ change: "expired" }],
    });
  });

  it("is evicted if there was no room, also where the others went of themselves", async ({ expect }) => {
    const { phone } = await withPhone();
    // Tokens of 4 KiB: 32 of them fill a user.
    const big = () => uniqueToken().padEnd(4096, "x");
    let last = phone;
    for (let i = 0; i < 11; i += 1) {
      last = await login(phone.uid);
      await last.register({ fcmToken: big(), apnsToken: big(), voipToken: big() });
    }
    await last.delete({ all: true });
    const { verdict: found, evidence } = await explained(phone.uid);
    expect(found.code).toBe("evicted");
    expect(evidence).toContainEqual(expect.objectContaining({ change: "evicted", session: phone.id }));
  });

  it("is ended if the back end, or the user from another device, ended the session", async ({ expect }) => {
    const { phone } = await withPhone();
    await serverCall("DELETE", `/v3/users/${phone.uid}/sessions/${phone.id}`);
    expect(await explained(phone.uid)).toMatchObject({ verdict: { code: "ended" }, evidence: [{ change: "ended" }] });

    const { phone: lost } = await withPhone();
    const tablet = await login(lost.uid);
    await tablet.call("DELETE", `/v3.0/me/devices/${lost.id}`);
    expect(await verdict(lost)).toBe("ended");

    const { phone: one } = await withPhone();
    await serverCall("DELETE", `/v3/users/${one.uid}/sessions`);
    expect(await verdict(one)).toBe("ended");
  });

  it.for([
    ["DELETE /v3.0/me", (phone: TestSession) => phone.logout()],
    ["DELETE of its own device", (phone: TestSession) => phone.call("DELETE", `/v3.0/me/devices/${phone.id}`)],
  ] as const)("is logged_out if the user logged out: %s", async ([, logOut], { expect }) => {
    const { phone } = await withPhone();
    await logOut(phone);
    expect(await explained(phone.uid)).toMatchObject({
      verdict: { code: "logged_out" },
      evidence: [{ change: "logged_out", session: phone.id }],
    });
  });

  it("is logged_out after CometChat's logout, and ended where CometChat calls the auth token dead", async ({
    expect,
  }) => {
    const [phone, tablet] = [await chatSession(), await chatSession()];
    await phone.register({ fcmToken: uniqueToken() });
    await phone.logout();
    expect(await verdict(phone)).toBe("logged_out");

    await tablet.register({ fcmToken: uniqueToken() });
    await cometchat.kill(tablet.app, tablet.authToken);
    await tablet.call("GET", "/v3.0/me");
    expect(await verdict(tablet)).toBe("ended");
  });

  it("is removed if the session emptied its slots and goes on", async ({ expect }) => {
    const { phone } = await withPhone();
    await phone.delete();
    expect(await explained(phone.uid)).toMatchObject({
      verdict: { code: "removed" },
      evidence: [{ change: "removed", session: phone.id }],
    });
  });

  it("is about what went since the last device came, and there the first of the table", async ({ expect }) => {
    const { phone: alice, token } = await withPhone();
    await (await login()).register({ fcmToken: token });
    const { phone: second } = await withPhone(alice.uid);
    await second.logout();
    expect(await verdict(alice)).toBe("logged_out");

    const { phone: third, token: taken } = await withPhone(alice.uid);
    const { phone: fourth } = await withPhone(alice.uid);
    await (await login()).register({ fcmToken: taken });
    await fourth.logout();
    expect(await explained(alice.uid)).toMatchObject({
      verdict: { code: "taken" },
      evidence: [{ change: "taken_by_another_user", session: third.id }],
    });
  });
});

describe("the verdict on a user of whom nothing is known", () => {
  it("is nothing_known: nobody registered, the record is over, or the user was erased", async ({ expect }) => {
    const nothing = { verdict: { code: "nothing_known" }, evidence: [], devices: [], changes: [] };
    expect(await explained(uniqueUid())).toMatchObject(nothing);

    const { phone } = await withPhone();
    await phone.logout();
    later(30 * DAY_MS);
    expect(await explained(phone.uid)).toMatchObject(nothing);
    vi.useRealTimers();

    const { phone: erased } = await withPhone();
    await serverCall("DELETE", `/v3/users/${erased.uid}`);
    expect(await explained(erased.uid)).toMatchObject(nothing);
  });
});

describe("GET /v3/users/{uid}/explain", () => {
  it("is one object call that writes nothing, and shows no token", async ({ expect }) => {
    const { phone, token } = await withPhone();
    let text = "";
    const { calls, rowsWritten } = await metered(async () => {
      text = (await serverCall("GET", `/v3/users/${phone.uid}/explain`)).text;
    });
    expect({ calls, rowsWritten }).toEqual({ calls: ["UserTokens.export"], rowsWritten: 0 });
    expect(text).not.toContain(token);
  });

  it("is for the scopes fullAccess and sender", async ({ expect }) => {
    const as = async (apikey: string) =>
      (await call("GET", `/v3/users/${uniqueUid()}/explain`, { headers: { appId: "test", apikey } })).status;
    expect(await as(API_KEYS.sender)).toBe(200);
    expect(await as(API_KEYS.authOnly)).toBe(403);
  });
});
