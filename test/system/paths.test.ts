// Paths as they arrive, byte for byte: what clients and servers take out of a path must never widen what is destroyed.
import { afterAll, beforeAll, describe, it } from "vitest";
import { Registry } from "../support/node/registry.ts";
import { uniqueToken, uniqueUid } from "../support/unique.ts";

const HOST = "push-notification-us.registry.test";
let registry: Registry;

beforeAll(async () => {
  registry = await Registry.start({ hosts: [HOST] });
});

afterAll(async () => {
  await registry?.stop();
});

/** The path as it stands, and as a WHATWG client (`fetch`, browsers, Workers) sends it: without dot segments. */
const asSent = (path: string) => new Set([path, new URL(`https://${HOST}${path}`).pathname]);

/** Logs a user in and registers a push token. */
async function register(uid = uniqueUid()) {
  const authToken = await registry.mint(uid);
  const call = (method: string, path: string, body?: object) =>
    registry.send({
      method,
      host: HOST,
      path,
      headers: { appid: "test", authtoken: authToken },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  const pushToken = uniqueToken();
  const { status, text } = await call("POST", "/v2/tokens", { fcmToken: pushToken });
  if (status !== 200) throw new Error(text);
  return { uid, pushToken, call };
}

describe("a DELETE by a back end", () => {
  it.for([
    "sessions/",
    "sessions//",
    "sessions/.",
    "sessions/%2e",
    "sessions/..",
    "sessions/%2e%2E",
    "sessions/../",
    "sessions/../../",
    "./",
    "",
  ])("whose path ends in {uid}/%s destroys nothing", async (rest, { expect }) => {
    const { uid, pushToken } = await register();
    for (const prefix of ["/v3/users", "/v3.0//users"]) {
      for (const path of asSent(`${prefix}/${uid}/${rest}`)) {
        expect((await registry.serverCall("DELETE", path)).status).toBeOneOf([400, 404]);
      }
    }
    expect(await registry.pushTokens(uid)).toEqual([pushToken]);
  });

  it.for(["/v3/users/./sessions", "/v3/users/%2e/sessions", "/v3/users//sessions", "/v3/users/x/../sessions"])(
    "of %s does not erase the user named sessions",
    async (path, { expect }) => {
      const { uid, pushToken } = await register("sessions");
      for (const each of asSent(path)) {
        expect((await registry.serverCall("DELETE", each)).status).toBeOneOf([400, 404]);
      }
      expect(await registry.pushTokens(uid)).toContain(pushToken);
    },
  );
});

describe("a DELETE by a client", () => {
  it("of v2/tokens ignores doubled and trailing slashes, as SDKs send them", async ({ expect }) => {
    const { uid, call } = await register();
    expect((await call("DELETE", "//v2//tokens/")).status).toBe(200);
    expect(await registry.pushTokens(uid)).toEqual([]);
  });

  it("of me ignores them too", async ({ expect }) => {
    const { uid, call } = await register();
    expect((await call("DELETE", "//v3.0/me/")).status).toBe(200);
    expect(await registry.pushTokens(uid)).toEqual([]);
  });

  it.for(["tokens/", "tokens//", "tokens/.", "tokens//x"])(
    "of the successor's %s removes nothing",
    async (rest, { expect }) => {
      const { uid, pushToken, call } = await register();
      for (const path of asSent(`/v3.0/notifications/push/v1/${rest}`)) await call("DELETE", path);
      expect(await registry.pushTokens(uid)).toEqual([pushToken]);
    },
  );
});
