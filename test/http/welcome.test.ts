// The page for people at `/` and at paths that are none. Programs are answered with the envelope there, whatever they send.
import { env, exports } from "cloudflare:workers";
import { describe, it } from "vitest";
import { createApp } from "../../src/app.ts";
import { call, serverCall } from "../support/client.ts";
import { chatSession, cometchat } from "../support/cometchat.ts";

/** As Chrome, Firefox and Safari send it for a page. */
const ACCEPT = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
const NO_SUCH_API = { error: { code: "ERR_API_NOT_FOUND" } };

function browse(path: string, { method = "GET", headers = {} }: { method?: string; headers?: object } = {}) {
  const host = "https://push-notification-us.registry.test";
  return exports.default.fetch(host + path, { method, headers: { accept: ACCEPT, ...headers } });
}

describe("a person with a browser", () => {
  it.for([
    ["/", 200],
    ["//", 200],
    ["/?utm_source=mail", 200],
    ["/wp-login.php", 404],
    ["/docs/", 404],
    ["/v2x", 404],
    ["/v30/tokens", 404],
    ["/console/", 404],
  ] as const)("is told at %s what this is, with the status %i", async ([path, status], { expect }) => {
    const reply = await browse(path);
    const text = await reply.text();
    expect([reply.status, reply.headers.get("content-type")]).toEqual([status, "text/html; charset=utf-8"]);
    expect(text).toContain('<html lang="en">');
    for (const link of ["/reference", "/openapi.json", "/console/"]) expect(text).toContain(`href="${link}"`);
    expect(reply.headers.get("cache-control")).toBe("no-store");
    expect(reply.headers.get("x-content-type-options")).toBe("nosniff");
  });

  it("gets the same headers, and no body, for a HEAD", async ({ expect }) => {
    const reply = await browse("/", { method: "HEAD" });
    expect([reply.status, reply.headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
    expect(await reply.text()).toBe("");
  });

  it("still finds the pages and calls that there are", async ({ expect }) => {
    expect((await browse("/health")).headers.get("content-type")).toBe("application/json");
    expect((await browse("/openapi.json")).headers.get("content-type")).toContain("application/json");
    expect(await (await browse("/reference")).text()).toContain("POST /v2/tokens");
    expect((await browse("/health/deep")).status).toBe(401);
  });
});

describe("a program is answered with the envelope", () => {
  it.for(["/v2", "/v2/", "/v2/x", "/v3", "/v3/x", "/v3.0", "/v3.0/x", "//v3.0//x"])(
    "at %s",
    async (path, { expect }) => {
      const reply = await browse(path);
      expect([reply.status, await reply.json()]).toMatchObject([404, NO_SUCH_API]);
    },
  );

  it.for(["appId", "apikey", "authToken", "AUTHTOKEN"])("with the header %s", async (name, { expect }) => {
    for (const path of ["/", "/nothing"]) {
      const reply = await browse(path, { headers: { [name]: "undefined" } });
      expect([reply.status, await reply.json()]).toMatchObject([404, NO_SUCH_API]);
    }
  });

  it.for(["", "*/*", "application/json", "application/json, text/plain, */*", "text/htmlx"])(
    "that accepts %s",
    async (accept, { expect }) => {
      const reply = await browse("/", { headers: { accept } });
      expect([reply.status, await reply.json()]).toMatchObject([404, NO_SUCH_API]);
    },
  );

  it("that says nothing of what it accepts", async ({ expect }) => {
    expect(await call("GET", "/")).toMatchObject({ status: 404, body: NO_SUCH_API });
  });

  it.for(["POST", "PUT", "PATCH", "DELETE"])("that sends a %s", async (method, { expect }) => {
    const reply = await browse("/nothing", { method });
    expect([reply.status, await reply.json()]).toMatchObject([404, NO_SUCH_API]);
  });

  it("that sends a preflight, or asks for a user of whom nothing is held", async ({ expect }) => {
    expect((await browse("/", { method: "OPTIONS" })).status).toBe(204);
    const reply = await serverCall("GET", "/v3/users/nobody/export", { headers: { accept: ACCEPT } });
    expect(reply).toMatchObject({ status: 404, body: { error: { code: "ERR_UID_NOT_FOUND" } } });
  });

  it("where the deployment has no files, or they do not answer", async ({ expect }) => {
    const silent = { fetch: () => Promise.reject(new Error("gone")) };
    for (const ASSETS of [undefined, silent, { fetch: async () => new Response(null, { status: 404 }) }]) {
      const request = new Request("https://registry.test/", { headers: { accept: ACCEPT } });
      const reply = await createApp().request(request, undefined, { ...env, ASSETS });
      expect([reply.status, await reply.json()]).toMatchObject([404, NO_SUCH_API]);
    }
  });
});

describe("an SDK of an app with identity cometchat, that accepts pages", () => {
  it("is passed on to the extension, and to the client API, and told what they say", async ({ expect }) => {
    const session = await chatSession({ app: "chat-eu" });
    const headers = { accept: ACCEPT };
    const replies = [
      await session.call("GET", "/v9/page", { headers, host: "polls-eu.registry.test" }),
      await session.call("GET", "/v3.0/users", { headers }),
    ];
    for (const reply of replies) expect(reply.headers.get("content-type")).not.toContain("text/html");
    const received = await cometchat.received({ authToken: session.authToken });
    expect(received.map(({ host, path }) => host + path)).toEqual([
      "polls-eu.cometchat.io/v9/page",
      expect.stringMatching(/apiclient-eu.*\/v3\.0\/users$/),
    ]);
  });
});
