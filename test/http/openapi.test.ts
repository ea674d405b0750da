// The document against the Worker: the same routes, and each example replayed. (test/scripts has the document's own tests.)
import { describe, it } from "vitest";
import document from "../../public/openapi.json";
import { OPERATIONS } from "../../scripts/openapi/operations.ts";
import { createApp } from "../../src/app.ts";
import { API_KEYS } from "../support/apps.ts";
import { call, login, type Reply } from "../support/client.ts";

/** Routes that are not calls of the API: the document and its page, the client, and the console. */
const NOT_DESCRIBED = [
  "GET /client.d.ts",
  "GET /client.js",
  "GET /console",
  "GET /console/access",
  "GET /console/{file}",
  "GET /openapi.json",
  "GET /reference",
];

describe("the OpenAPI document", () => {
  it("describes exactly the routes that the Worker has", ({ expect }) => {
    const routes = createApp()
      .routes.filter(({ method }) => method !== "ALL")
      .map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, "{$1}").replace(/(.)\/$/, "$1")}`);
    const described = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect([...new Set(routes)].sort()).toEqual([...described, ...NOT_DESCRIBED].sort());
  });

  it.for(OPERATIONS.filter(({ elsewhere }) => elsewhere === undefined))(
    "has an example of $id that works as it says",
    async (operation, { expect }) => {
      const alice = await login("alice");
      const registered = await alice.register({ fcmToken: "fcm-registration-token" });
      const headers: Record<string, string> = { "content-type": "application/json" };
      if (operation.caller === "client") Object.assign(headers, { appId: "test", authToken: alice.authToken });
      else if (operation.caller !== "anybody") Object.assign(headers, { appId: "test", apikey: API_KEYS.fullAccess });
      const path = operation.path.replace("{uid}", "alice").replace("{sid}", alice.id);
      const body = operation.body?.example;
      const text = body === "{unregisterTicket}" ? registered.body.data.unregisterTicket : body;

      const reply: Reply = await call(operation.method.toUpperCase(), path, { headers, body: text });

      expect(reply.status).toBe(200);
      expect(operation.data.safeParse(reply.body.data).error).toBeUndefined();
      expect(operation.data.safeParse(operation.example).error).toBeUndefined();
      await call("DELETE", "/v3/users/alice", { headers: { appId: "test", apikey: API_KEYS.fullAccess } });
    },
  );

  it.for(OPERATIONS.filter(({ caller }) => typeof caller !== "string"))(
    "names the scopes that $id accepts, and no other",
    async ({ id, method, path, caller, body }, { expect }) => {
      for (const [scope, apikey] of Object.entries(API_KEYS)) {
        const uid = `scopes-${id}`;
        const reply = await call(method.toUpperCase(), path.replace("{uid}", uid).replace("{sid}", "session"), {
          headers: { appId: "test", apikey },
          body: body?.example,
        });
        const isRefused = reply.status === 403;
        expect({ scope, isRefused }).toEqual({ scope, isRefused: !(caller as readonly string[]).includes(scope) });
        if (isRefused) expect(reply.body.error.code).toBe("AUTH_ERR_NO_ACCESS");
      }
    },
  );

  it("is served without a key, with CORS, also on doubled slashes and to a preflight", async ({ expect }) => {
    for (const path of ["/openapi.json", "//openapi.json", "/openapi.json/"]) {
      const reply = await call("GET", path);
      expect(reply.status).toBe(200);
      expect(reply.headers.get("access-control-allow-origin")).toBe("*");
      expect(reply.body).toEqual(document);
    }
    expect((await call("OPTIONS", "/openapi.json", { headers: { origin: "https://a.example" } })).status).toBe(204);
  });
});
