// What the export says of the directory, which holds a copy of what senders see of a user.
import { env } from "cloudflare:workers";
import { it } from "vitest";
import { LOOKUP_TIMEOUT_MS } from "../../src/limits.ts";
import { API_KEYS } from "../support/apps.ts";
import { login, serverCall, uniqueToken, uniqueUid } from "../support/client.ts";
import { faultyFor, serverCallWith, show } from "../support/directory.ts";
import { outlasting, silent, userObject } from "../support/faults.ts";

const exportOf = (uid: string) => serverCall("GET", `/v3/users/${uid}/export`);

it("the export says what the directory shows to senders, muted devices included", async ({ expect }) => {
  const session = await login();
  const token = uniqueToken();
  await session.register({ fcmToken: token });
  const asking = { id: session.id, issuedAt: Date.now(), usableUntil: null };
  await (await userObject("test", session.uid)).mute({ session: asking, of: session.id, muted: true });
  const { directory } = (await exportOf(session.uid)).body.data;
  const listed = await serverCall("GET", `/v3/users/${session.uid}/push_tokens?includeMuted=true`);
  expect(listed.body.data.pushTokens).toMatchObject([{ token, muted: true }]);
  expect(directory).toEqual({
    format: 1,
    shownSince: listed.body.data.pushTokens[0].refreshedAt,
    pushTokens: listed.body.data.pushTokens,
  });
  await session.logout();
  expect((await exportOf(session.uid)).body.data.directory).toBeNull();
});

it("the export names what is in the directory alone, in whatever form", async ({ expect }) => {
  const uid = uniqueUid();
  expect((await exportOf(uid)).status).toBe(404);
  await show("test", uid, { format: 2, tokens: "of a later release" });
  const { status, body } = await exportOf(uid);
  expect([status, body.data.directory]).toMatchObject([200, { format: 2, pushTokens: "of a later release" }]);
});

it("the export is a 503 where the directory does not answer: it would not be all", async ({ expect }) => {
  const session = await login();
  await session.register({ fcmToken: uniqueToken() });
  const { namespace } = faultyFor(env.DIRECTORY, () => true, silent);
  const headers = { apikey: API_KEYS.fullAccess };
  const path = `/v3/users/${session.uid}/export`;
  const read = () => serverCallWith({ DIRECTORY: namespace }, "GET", path, { headers });
  expect(await outlasting(LOOKUP_TIMEOUT_MS, read)).toMatchObject({ outcome: { status: 503 }, waits: 1 });
});
