// Where the object of a user is made: near whoever calls it first, unless a back end says where the user is.
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, it } from "vitest";
import { createApp } from "../../src/app.ts";
import { type App, parseConfig } from "../../src/config/apps.ts";
import { askUser, tellUser } from "../../src/objects.ts";
import { API_KEYS } from "../support/apps.ts";
import { login, serverCall } from "../support/client.ts";
import { callWith } from "../support/faults.ts";
import { tablesIn, userObject } from "../support/objects.ts";
import { envWith } from "../support/settings.ts";
import { uniqueToken, uniqueUid } from "../support/unique.ts";

/** A deployment that notes with which hint the objects of users are asked for; `null`: with none. */
function noting(settings: object = {}) {
  const asked: (string | null)[] = [];
  const noted: typeof env.USER_TOKENS = new Proxy(env.USER_TOKENS, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property);
      if (property === "jurisdiction") return () => noted;
      if (property !== "getByName") return typeof value === "function" ? value.bind(target) : value;
      return (name: string, options?: DurableObjectNamespaceGetDurableObjectOptions) => {
        asked.push(options?.locationHint ?? null);
        return target.getByName(name, options);
      };
    },
  });
  const bindings = { ...envWith("test", settings), USER_TOKENS: noted };
  const asBackEnd = async (path: string, body: unknown) => {
    const headers = { appId: "test", apikey: API_KEYS.fullAccess };
    const init = { method: "POST", headers, body: JSON.stringify(body) };
    const response = await createApp().request(`https://registry.test${path}`, init, bindings);
    return { status: response.status, text: await response.text() };
  };
  const mint = (uid: string, body: object) => asBackEnd(`/v3/users/${uid}/auth_tokens`, body);
  const importOf = (uid: string, body: object) =>
    asBackEnd("/v3/push_tokens/import", { items: [{ uid, kind: "fcm", token: uniqueToken() }], ...body });
  return { bindings, asked, mint, importOf };
}

/** Of every object that a call asks for, with which hint. */
function notingAll(settings: object) {
  const asked = new Set<string | null>();
  const noted = <N extends object>(namespace: N): N =>
    new Proxy(namespace, {
      get(target, property) {
        const value: unknown = Reflect.get(target, property);
        if (property !== "getByName") return typeof value === "function" ? value.bind(target) : value;
        return (name: string, options?: DurableObjectNamespaceGetDurableObjectOptions) => {
          asked.add(options?.locationHint ?? null);
          return (value as DurableObjectNamespace["getByName"]).call(target, name, options);
        };
      },
    });
  return {
    asked,
    bindings: { ...envWith("test", settings), DIRECTORY: noted(env.DIRECTORY), TOKEN_OWNERS: noted(env.TOKEN_OWNERS) },
  };
}

describe("the objects that users share", () => {
  it("are made where the app says, by a lookup and by a user's object", async ({ expect }) => {
    for (const [settings, hints] of [
      [{ locationHint: "oc" }, ["oc"]],
      [{}, [null]],
    ] as const) {
      const { asked, bindings } = notingAll(settings);
      const headers = { appId: "test", apikey: API_KEYS.fullAccess };
      const ask = (path: string, body: object) =>
        createApp().request(
          `https://registry.test${path}`,
          { method: "POST", headers, body: JSON.stringify(body) },
          bindings,
        );
      expect((await ask("/v3/push_tokens/lookup", { uids: [uniqueUid()] })).status).toBe(200);
      expect((await ask("/v3/push_tokens/owner", { token: uniqueToken() })).status).toBe(200);
      expect([...asked]).toEqual(hints);
      asked.clear();
      const device = await login();
      await runInDurableObject(await userObject("test", device.uid), (instance) => {
        Object.defineProperty(instance, "env", { value: bindings });
      });
      await device.register({ fcmToken: uniqueToken() });
      expect([...asked]).toEqual(hints);
    }
  });
});

describe("the object of a user", () => {
  it("is made where the back end says that mints or imports, else where the app says", async ({ expect }) => {
    const { asked, mint, importOf } = noting();
    const uid = uniqueUid();
    for (const body of [{}, { locationHint: "weur" }, { locationHint: "apac-se" }, { locationHint: null }]) {
      expect((await mint(uid, body)).status).toBe(200);
      expect((await importOf(uid, body)).status).toBe(200);
    }
    expect(asked).toEqual([null, null, "weur", "weur", "apac-se", "apac-se", null, null]);

    const inOceania = noting({ locationHint: "oc" });
    await inOceania.mint(uid, {});
    await inOceania.importOf(uid, {});
    await inOceania.mint(uid, { locationHint: "weur" });
    expect(inOceania.asked).toEqual(["oc", "oc", "weur"]);
  });

  it("is made near the device that registers, whatever the app says", async ({ expect }) => {
    const { bindings, asked } = noting({ locationHint: "oc" });
    const device = await login();
    expect((await callWith(bindings, device, "POST", "/v2/tokens", { fcmToken: uniqueToken() })).status).toBe(200);
    expect(asked).toEqual([null]);
  });

  it("is the same one whatever the hint", async ({ expect }) => {
    const { mint, importOf } = noting();
    const uid = uniqueUid();
    await importOf(uid, { locationHint: "weur" });
    await importOf(uid, { locationHint: "afr" });
    await mint(uid, { locationHint: "me" });
    const { body } = await serverCall("GET", `/v3/users/${uid}/push_tokens`);
    expect(body.data.pushTokens).toHaveLength(2);
  });

  it("is asked for with no place that Cloudflare does not know", async ({ expect }) => {
    const { asked, mint, importOf } = noting();
    for (const locationHint of ["mars", "WEUR", "", 7, {}]) {
      const [minted, imported] = [
        await mint(uniqueUid(), { locationHint }),
        await importOf(uniqueUid(), { locationHint }),
      ];
      expect([minted.status, imported.status]).toEqual([400, 400]);
      expect(minted.text).toContain("The locationHint field must be one of wnam, enam, ");
    }
    expect(asked).toEqual([]);
  });

  it("has no hint in a jurisdiction, which has the last word", async ({ expect }) => {
    const { bindings, asked } = noting();
    const found = parseConfig({ ...envWith("test", {}) }).apps.get("test") as App;
    for (const app of [found, { ...found, jurisdiction: "eu" as const }]) {
      await askUser(bindings, app, uniqueUid(), (user) => user.validFrom(), { near: "weur" });
      await tellUser(bindings, app, uniqueUid(), (user) => user.validFrom(), "weur");
    }
    expect(asked).toEqual(["weur", "weur", null, null]);
  });

  it("does not stay where it was only read or minted for", async ({ expect }) => {
    const { mint } = noting();
    const uid = uniqueUid();
    await mint(uid, { locationHint: "weur" });
    for (const what of ["push_tokens", "sessions", "explain", "export"])
      await serverCall("GET", `/v3/users/${uid}/${what}`);
    await serverCall("POST", "/v3/push_tokens/lookup", { body: { uids: [uid] } });
    await runInDurableObject(await userObject("test", uid), async (_, { storage }) => {
      expect(tablesIn(storage)).toEqual([]);
      expect(await storage.getAlarm()).toBeNull();
      expect([...storage.kv.list()]).toEqual([]);
    });
  });
});
