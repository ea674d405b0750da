// Devices that their user muted: no sender is told of them by default, and the user keeps them.
import { exports } from "cloudflare:workers";
import { describe, it } from "vitest";
import { login, serverCall, type TestSession, uniqueToken } from "../support/client.ts";
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

it.for(["yes", "1", "true&includeMuted=false"])("includeMuted=%s is a 400", async (value, { expect }) => {
  const reply = await serverCall("GET", `/v3/users/alice/push_tokens?includeMuted=${value}`);
  expect(reply).toMatchObject({ status: 400, body: { error: { details: { includeMuted: [expect.any(String)] } } } });
});
