// The race of design.md through HTTP on workerd itself: rounds of users who fight for a few tokens.
import { afterAll, beforeAll, describe, inject, it } from "vitest";
import { type Server, serve } from "../../scripts/lib/workerd.ts";
import { API_KEYS, testBindings } from "../support/apps.ts";

const ROUNDS = 50;
const USERS = 20;
const TOKENS = 10;

let server: Server;

beforeAll(async () => {
  server = await serve({ bundle: inject("bundle"), bindings: testBindings });
});

afterAll(async () => {
  await server?.stop();
});

async function send(method: string, path: string, headers: Record<string, string>, body?: object) {
  const response = await fetch(server.url + path, {
    method,
    headers: { appId: "test", ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const { data } = (await response.json()) as { data: Record<string, unknown> };
  return { status: response.status, data };
}

const asServer = { apikey: API_KEYS.fullAccess };

describe("users who fight for tokens", () => {
  it("leave each token with one holder, who is the owner on record", async ({ expect }) => {
    const users = await Promise.all(
      Array.from({ length: USERS }, async (_, i) => {
        const uid = `user-${i}`;
        const { data } = await send("POST", `/v3/users/${uid}/auth_tokens`, asServer);
        return { uid, headers: { authToken: String(data.authToken), sdk: "android@4" } };
      }),
    );
    const register = async (user: (typeof users)[number], fcmToken: string) =>
      (await send("POST", "/v2/tokens", user.headers, { fcmToken })).status;
    for (let round = 0; round < ROUNDS; round++) {
      const token = (i: number) => `token-${round}-${i % TOKENS}`;
      // In every other round two registrations each, at the same moment as everybody's: the one that comes second displaces
      // the first, and its token may be with nobody. In the rounds between, every token must have a holder.
      const isDisplacing = round % 2 === 1;
      const statuses = await Promise.all(
        users.flatMap((user, i) => [
          register(user, token(i + round)),
          ...(isDisplacing ? [register(user, token(i * 7 + round))] : []),
        ]),
      );
      expect(new Set(statuses)).toEqual(new Set([200]));

      const { data } = await send("POST", "/v3/push_tokens/lookup", asServer, { uids: users.map(({ uid }) => uid) });
      const held = (data.users as { uid: string; pushTokens: { token: string }[] }[]).flatMap(({ uid, pushTokens }) =>
        pushTokens.map((each) => ({ uid, token: each.token })),
      );
      expect(new Set(held.map((each) => each.token)).size).toBe(held.length);
      expect(new Set(held.map((each) => each.uid)).size).toBe(held.length);
      if (!isDisplacing) {
        const fought = Array.from({ length: TOKENS }, (_, i) => token(i));
        expect(held.map((each) => each.token)).toEqual(expect.arrayContaining(fought));
      }
      await Promise.all(
        held.map(async (each) => {
          const owner = await send("POST", "/v3/push_tokens/owner", asServer, { token: each.token });
          expect((owner.data.owners as { uid: string }[]).map(({ uid }) => uid)).toEqual([each.uid]);
        }),
      );
    }
  }, 300_000);
});
