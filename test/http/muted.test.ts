// Devices that their user muted: no sender is told of them by default, and the user keeps them.
import { exports } from "cloudflare:workers";
import { afterEach, describe, it, vi } from "vitest";
import { JWT_SECRETS } from "../support/apps.ts";
import { login, serverCall, type TestSession, uniqueToken } from "../support/client.ts";
import { jwtLogin, secretKey } from "../support/issuer.ts";
import { metered } from "../support/meter.ts";
import { userObject } from "../support/objects.ts";

async function mute(session: TestSession, muted = true): Promise<void> {
  const object = await userObject(session.app, session.uid);
  const asking = { id: session.id, issuedAt: Date.now(), usableUntil: null };
  await object.mute({ session: asking, of: session.id, muted });
}

/** A user with two devices, of which the second is muted. */
async function halfMuted() {
  const loud = await login();
  const silent = await login(loud.uid);
  const [heard, unheard] = [uniqueToken(), uniqueToken()];
  await loud.register({ fcmToken: heard });
  await silent.register({ fcmToken: unheard });
  await mute(silent);
  return { uid: loud.uid, loud, silent, heard, unheard };
}

type Reading = (uid: string, includeMuted?: boolean) => Promise<{ token: string; muted?: true }[]>;

const binding = () => exports.PushTokens({ props: { appId: "test" } });

const READINGS: [string, Reading][] = [
  [
    "GET /v3/users/{uid}/push_tokens",
    async (uid, includeMuted) => {
      const query = includeMuted === undefined ? "" : `?includeMuted=${includeMuted}`;
      return (await serverCall("GET", `/v3/users/${uid}/push_tokens${query}`)).body.data.pushTokens;
    },
  ],
  [
    "POST /v3/push_tokens/lookup",
    async (uid, includeMuted) => {
      const body = { uids: [uid], includeMuted };
      return (await serverCall("POST", "/v3/push_tokens/lookup", { body })).body.data.users[0].pushTokens;
    },
  ],
  ["the binding's list", async (uid, includeMuted) => (await binding().list(uid, { includeMuted })).pushTokens],
  [
    "the binding's lookup",
    async (uid, includeMuted) => (await binding().lookup([uid], { includeMuted })).users[0]?.pushTokens ?? [],
  ],
];

describe.for(READINGS)("%s", ([, read]) => {
  it("leaves muted devices out, and names them where they are asked for", async ({ expect }) => {
    const { uid, silent, heard, unheard } = await halfMuted();
    for (const shown of [await read(uid), await read(uid, false)]) {
      expect(shown).toMatchObject([{ token: heard }]);
      expect(shown).toHaveLength(1);
      expect(shown[0]).not.toHaveProperty("muted");
    }
    const all = await read(uid, true);
    expect(all.map(({ token, muted }) => [token, muted])).toEqual([
      [heard, undefined],
      [unheard, true],
    ]);
    await mute(silent, false);
    expect(await read(uid)).toHaveLength(2);
  });
});

describe("the binding", () => {
  it("needs no options", async ({ expect }) => {
    const { uid, heard } = await halfMuted();
    expect((await binding().list(uid)).pushTokens).toMatchObject([{ token: heard }]);
    expect((await binding().lookup([uid])).users).toMatchObject([{ uid, pushTokens: [{ token: heard }] }]);
  });
});

describe("a muted device", () => {
  it("stays its user's own, in the list of the user, the export and the sessions", async ({ expect }) => {
    const { uid, loud, silent, heard, unheard } = await halfMuted();
    expect((await loud.tokens()).sort()).toEqual([heard, unheard].sort());
    const { body } = await serverCall("GET", `/v3/users/${uid}/export`);
    expect(body.data.registrations).toHaveLength(2);
    expect(body.data.registrations).toContainEqual(expect.objectContaining({ token: unheard, muted: true }));
    const { sessions } = (await serverCall("GET", `/v3/users/${uid}/sessions`)).body.data;
    expect(sessions.map(({ id }: { id: string }) => id).sort()).toEqual([loud.id, silent.id].sort());
  });

  it("changes the ETag of what a sender was told, and is another content where it is asked for", async ({ expect }) => {
    const { uid, silent } = await halfMuted();
    const path = `/v3/users/${uid}/push_tokens`;
    const tag = async (query = "") => (await serverCall("GET", `${path}${query}`)).headers.get("ETag") ?? "";
    const [without, included] = [await tag(), await tag("?includeMuted=TRUE")];
    expect(without).not.toBe(included);
    const again = (query: string, seen: string) =>
      serverCall("GET", `${path}${query}`, { headers: { "if-none-match": seen } });
    expect((await again("", without)).status).toBe(304);
    expect((await again("?includeMuted=true", without)).status).toBe(200);
    expect((await again("?includeMuted=true", included)).status).toBe(304);
    await mute(silent, false);
    expect((await again("", without)).status).toBe(200);
    expect((await again("?includeMuted=true", included)).status).toBe(200);
  });
});

describe("a muted session that holds nothing", () => {
  const exported = async (uid: string, app = "test") =>
    (await serverCall("GET", `/v3/users/${uid}/export`, {}, app)).body.data;
  const heard = async (uid: string): Promise<string[]> =>
    (await serverCall("GET", `/v3/users/${uid}/push_tokens`)).body.data.pushTokens.map(
      ({ token }: { token: string }) => token,
    );

  /** A user whose only device is muted, and has just emptied its slots. */
  async function emptied(loggedIn?: TestSession) {
    const session = loggedIn ?? (await login());
    await session.register({ fcmToken: uniqueToken() });
    await session.call("PATCH", `/v3.0/me/devices/${session.id}`, { body: { muted: true } });
    await session.delete({ all: false });
    return session;
  }

  afterEach(() => {
    vi.useRealTimers();
  });

  it("stays so for 30 days, whatever took its last token", async ({ expect }) => {
    const [session, thief] = [await login(undefined, { lifetimeSeconds: 80 * 86_400 }), await login()];
    const token = uniqueToken();
    await session.register({ fcmToken: token });
    await mute(session);
    await thief.register({ fcmToken: token });
    const [kept] = (await exported(session.uid)).muted;
    expect(kept).toEqual({ session: session.id, until: expect.any(Number) });
    vi.useFakeTimers({ toFake: ["Date"], now: kept.until - 1000 });
    expect((await session.register({ fcmToken: token })).status).toBe(200);
    expect(await heard(session.uid)).toEqual([]);
    expect(await session.tokens()).toEqual([token]);
    expect((await exported(session.uid)).muted).toEqual([]);
    await session.delete({ all: false });
    const [again] = (await exported(session.uid)).muted;
    vi.useFakeTimers({ toFake: ["Date"], now: again.until });
    await session.register({ fcmToken: token });
    expect(await heard(session.uid)).toEqual([token]);
  });

  it("is forgotten with the session, with all sessions and with the user", async ({ expect }) => {
    for (const end of [
      (session: TestSession) => session.logout(),
      ({ uid, id }: TestSession) => serverCall("DELETE", `/v3/users/${uid}/sessions/${id}`),
      ({ uid }: TestSession) => serverCall("DELETE", `/v3/users/${uid}/sessions`),
    ]) {
      const session = await emptied();
      expect((await exported(session.uid)).muted).toHaveLength(1);
      expect((await end(session)).status).toBe(200);
      expect((await exported(session.uid)).muted).toEqual([]);
      const holding = await login();
      await holding.register({ fcmToken: uniqueToken() });
      await mute(holding);
      expect((await end(holding)).status).toBe(200);
      expect((await exported(holding.uid)).muted).toEqual([]);
    }
    // Where auth tokens outlive sessions, an erasure leaves no mark of a session that holds nothing.
    for (const session of [
      await emptied(),
      await emptied(await jwtLogin("SECRET", { key: secretKey(JWT_SECRETS[0]?.secret ?? "", "now") })),
    ]) {
      const { app, uid } = session;
      await serverCall("DELETE", `/v3/users/${uid}`, {}, app);
      expect((await exported(uid, app)).muted).toEqual([]);
    }
  });

  it("is one of at most 100: the one emptied longest ago is heard again", async ({ expect }) => {
    const { uid, id: first } = await emptied();
    for (let n = 1; n <= 100; n += 1) {
      await scheduler.wait(1);
      const session = await login(uid);
      await session.register({ fcmToken: uniqueToken() });
      await mute(session);
      await session.delete({ all: false });
    }
    const ids = (await exported(uid)).muted.map(({ session }: { session: string }) => session);
    expect(ids).toHaveLength(100);
    expect(ids).not.toContain(first);
  });

  it("costs a row when it is emptied and one when it registers again, and nothing where nobody is muted", async ({
    expect,
  }) => {
    const cost = async (muted: boolean) => {
      const session = await login();
      const token = uniqueToken();
      await session.register({ fcmToken: token });
      if (muted) await mute(session);
      const removal = await metered(() => session.delete({ all: false }));
      const registration = await metered(() => session.register({ fcmToken: token }));
      return [removal.rowsWritten, registration.rowsWritten];
    };
    const [removal = 0, registration = 0] = await cost(false);
    expect(await cost(true)).toEqual([removal + 1, registration + 1]);
  });
});

it.for(["yes", "1", "true&includeMuted=false"])("includeMuted=%s is a 400", async (value, { expect }) => {
  const reply = await serverCall("GET", `/v3/users/alice/push_tokens?includeMuted=${value}`);
  expect(reply).toMatchObject({ status: 400, body: { error: { details: { includeMuted: [expect.any(String)] } } } });
});
