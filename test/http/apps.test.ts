// Many apps on one deployment: each with its users, its objects and its settings.
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, it } from "vitest";
import { type App, ConfigError, parseConfig } from "../../src/config/apps.ts";
import { tokenHash, tokenOwnersName, userHash } from "../../src/durable/names.ts";
import { askUser, ownersOf } from "../../src/objects.ts";
import { call, login, serverCall, uniqueToken, uniqueUid } from "../support/client.ts";
import { userObject } from "../support/faults.ts";

/** The app as a deploy would configure it, `DEVELOPMENT` not set. */
function deployed(settings: object, more: Record<string, unknown> = {}): App {
  const { apps } = parseConfig({ APP_ONE: { appId: "one", ...settings }, ...more });
  const app = apps.get("one");
  if (app === undefined || app instanceof ConfigError) throw new Error(`refused: ${app?.message}`);
  return app;
}

function problemsOf(vars: Record<string, unknown>): string[] {
  const { apps, problems } = parseConfig(vars);
  return [...problems, ...[...apps.values()].flatMap((app) => (app instanceof ConfigError ? app.problems : []))];
}

describe("two apps with the same users", () => {
  it("share neither tokens, sessions, owners nor ends", async ({ expect }) => {
    const uid = uniqueUid();
    const [one, other] = [await login(uid), await login(uid, { app: "other" })];
    const token = uniqueToken();
    await one.register({ fcmToken: token });
    expect(await other.tokens()).toEqual([]);
    await other.register({ fcmToken: token });
    expect(await one.tokens()).toEqual([token]);
    const owner = (app: string) => serverCall("POST", "/v3/push_tokens/owner", { body: { token } }, app);
    expect((await owner("test")).body.data.owners).toMatchObject([{ uid, sessionId: one.id }]);
    expect((await owner("other")).body.data.owners).toMatchObject([{ uid, sessionId: other.id }]);
    await serverCall("DELETE", `/v3/users/${uid}/sessions`);
    expect(await other.tokens()).toEqual([token]);
    await serverCall("DELETE", `/v3/users/${uid}`);
    expect(await other.tokens()).toEqual([token]);
    expect((await owner("other")).body.data.owners).toHaveLength(1);
  });

  it("accept each its own auth tokens only", async ({ expect }) => {
    const session = await login();
    const reply = await session.call("GET", "/v2/tokens", { headers: { appId: "other" } });
    expect(reply).toMatchObject({ status: 401, body: { error: { code: "AUTH_ERR_AUTH_TOKEN_NOT_FOUND" } } });
  });

  it("stay apart, however uids and app ids can be joined", async ({ expect }) => {
    expect(await userHash("ab", "c")).not.toBe(await userHash("a", "bc"));
    expect(await userHash("a", "1:bc")).not.toBe(await userHash("a1", "bc"));
  });
});

describe("an app that lists its origins", () => {
  const page = (origin: string) => ({ headers: { origin } });

  it("serves the pages of those, and what sends no origin", async ({ expect }) => {
    const session = await login(uniqueUid(), { app: "origins" });
    const token = uniqueToken();
    for (const options of [page("https://app.example.com"), page("https://www.example.com"), {}]) {
      const reply = await session.call("POST", "/v2/tokens", { ...options, body: { fcmToken: token } });
      expect(reply.status).toBe(200);
      expect(reply.headers.get("access-control-allow-origin")).toBe("*");
    }
  });

  it("refuses others with a reply that the page can read, and changes nothing", async ({ expect }) => {
    const session = await login(uniqueUid(), { app: "origins" });
    const token = uniqueToken();
    const { body } = await session.register({ fcmToken: token });
    for (const origin of ["https://evil.example", "https://app.example.com.evil.example", "null-origin://x"]) {
      const refusals = [
        await session.call("POST", "/v2/tokens", { ...page(origin), body: { fcmToken: uniqueToken() } }),
        await session.call("DELETE", "/v2/tokens", { ...page(origin), body: { all: true } }),
        await session.call("DELETE", "/v3.0/me", page(origin)),
        await call("POST", "/v2/tokens/unregister", { ...page(origin), body: body.data.unregisterTicket }),
      ];
      for (const refusal of refusals) {
        expect(refusal).toMatchObject({ status: 403, body: { error: { code: "AUTH_ERR_NO_ACCESS" } } });
        expect(refusal.headers.get("access-control-allow-origin")).toBe("*");
      }
    }
    expect(await session.tokens()).toEqual([token]);
  });
});

describe("an app's jurisdiction", () => {
  /** A namespace that notes in which jurisdiction its objects were asked for. */
  function noting<N extends object>(namespace: N) {
    const asked: unknown[] = [];
    const noted = new Proxy(namespace, {
      get(target, property) {
        const value: unknown = Reflect.get(target, property);
        if (property !== "jurisdiction") return typeof value === "function" ? value.bind(target) : value;
        return (jurisdiction: string) => {
          asked.push(jurisdiction);
          return target;
        };
      },
    });
    return { namespace: noted, asked };
  }

  it("is where both kinds of its objects are", async ({ expect }) => {
    const [users, owners] = [noting(env.USER_TOKENS), noting(env.TOKEN_OWNERS)];
    const bindings = { ...env, USER_TOKENS: users.namespace, TOKEN_OWNERS: owners.namespace };
    for (const [app, asked] of [
      [deployed({ jurisdiction: "eu" }), ["eu"]],
      [deployed({}), ["eu"]],
    ] as const) {
      await askUser(bindings, app, uniqueUid(), (user) => user.validFrom());
      await ownersOf(bindings, app, await tokenHash("fcm", uniqueToken()));
      expect(users.asked).toEqual(asked);
      expect(owners.asked).toEqual(asked);
    }
  });

  it("is where its objects look for each other", async ({ expect }) => {
    const [alice, bob] = [await login(), await login()];
    const token = uniqueToken();
    await alice.register({ fcmToken: token });
    const [users, owners] = [noting(env.USER_TOKENS), noting(env.TOKEN_OWNERS)];
    const directory = noting(env.DIRECTORY);
    const hash = await tokenHash("fcm", token);
    const ownerObject = env.TOKEN_OWNERS.getByName(tokenOwnersName("test", hash));
    for (const object of [await userObject("test", bob.uid), ownerObject]) {
      await runInDurableObject(object, (instance, { id }) => {
        Object.assign(instance, {
          env: {
            ...env,
            USER_TOKENS: users.namespace,
            TOKEN_OWNERS: owners.namespace,
            DIRECTORY: directory.namespace,
          },
          ctx: withJurisdiction(Reflect.get(instance, "ctx"), id.name, "eu"),
        });
      });
    }
    expect((await bob.register({ fcmToken: token })).status).toBe(200);
    expect(owners.asked).toEqual(["eu"]);
    expect(users.asked).toEqual(["eu"]);
    expect(directory.asked).toEqual(["eu"]);
    expect(await alice.tokens()).toEqual([]);
  });

  /** The state of an object as it is in a jurisdiction. */
  function withJurisdiction(state: object, name: string | undefined, jurisdiction: string): object {
    return new Proxy(state, {
      get(target, property) {
        if (property === "id") return { name, jurisdiction };
        const value: unknown = Reflect.get(target, property);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  }

  it("is not asked for in development, where workerd has none", ({ expect }) => {
    expect(deployed({ jurisdiction: "eu" }).jurisdiction).toBe("eu");
    expect(deployed({ jurisdiction: "eu" }, { DEVELOPMENT: "true" }).jurisdiction).toBeUndefined();
  });
});

describe("the configuration", () => {
  it("has defaults for everything but the app id", ({ expect }) => {
    expect(deployed({})).toMatchObject({
      region: "us",
      identity: "issued",
      policy: "exclusive",
      authTokens: { defaultSeconds: 30 * 86_400, maximumSeconds: 90 * 86_400 },
      refreshWindowDays: 7,
      retentionDays: 270,
      takeovers: { perUserAndHour: 10 },
      rules: { fenceMs: 90 * 86_400_000 + 30_000, retentionMs: 270 * 86_400_000 },
      signingKeys: [],
      apiKeys: [],
    });
  });

  it("names the app and the field that is wrong, and never a secret", ({ expect }) => {
    const sha256 = "0".repeat(64);
    const signingKey = { kid: "k", secret: "top-secret-0123456789-0123456789-" };
    const wrong: [Record<string, unknown>, string][] = [
      [{ APP_ONE: { appId: "a:b" } }, "APP_ONE.appId: must be"],
      [{ APP_ONE: {} }, "APP_ONE.appId: must be text"],
      [{ APP_ONE: { appId: "none" } }, "APP_ONE.appId: must not be a word for nothing"],
      [{ APP_ONE: "{" }, "APP_ONE.appId: must be text"],
      [{ APP_ONE: { appId: "one", policy: "both" } }, "APP_ONE.policy: must be"],
      [{ APP_ONE: { appId: "one", retentionDays: 0 } }, "APP_ONE.retentionDays: must be"],
      [{ APP_ONE: { appId: "one", jurisdiction: "mars" } }, "APP_ONE.jurisdiction: must be"],
      [{ APP_ONE: { appId: "one", allowedOrigins: ["app.example.com"] } }, "APP_ONE.allowedOrigins[0]: must be"],
      [{ APP_ONE: { appId: "one", allowedOrigins: ["https://a.example/"] } }, "APP_ONE.allowedOrigins[0]: must be"],
      [{ APP_ONE: { appId: "one", allowedOrigins: ["https://*.acme.example"] } }, "there are no wildcards"],
      [{ APP_ONE: { appId: "one", allowedOrigins: ["null", "*"] } }, "APP_ONE.allowedOrigins[1]: must name one origin"],
      [{ APP_ONE: { appId: "one", publicHost: "https://x.example" } }, "APP_ONE.publicHost: must be"],
      [{ APP_ONE: { appId: "one", colour: "red" } }, "APP_ONE: has unknown fields: colour"],
      [{ APP_ONE: { appId: "one", takeovers: { perUserAndHour: -1 } } }, "APP_ONE.takeovers.perUserAndHour: must be"],
      [{ APP_ONE: { appId: "one", authTokens: { defaultSeconds: 120, maximumSeconds: 60 } } }, "must not be above"],
      [{ APP_ONE: { appId: "one", authTokens: { defaultSeconds: 59 } } }, "APP_ONE.authTokens.defaultSeconds: must be"],
      [{ APP_ONE: { appId: "one", authTokens: { maximumSeconds: 60.5 } } }, "APP_ONE.authTokens.maximumSeconds: must"],
      [{ APP_ONE: { appId: "one", region: "US" } }, "APP_ONE.region: must be"],
      [{ APP_ONE: { appId: "one", identity: "none" } }, "APP_ONE.identity: must be"],
      [{ APP_ONE: { appId: "one", refreshWindowDays: "7" } }, "APP_ONE.refreshWindowDays: must be"],
      [{ APP_ONE: { appId: "one", refreshWindowDays: 270 } }, "APP_ONE.refreshWindowDays: must be below"],
      [{ APP_ONE: { appId: "one", retentionDays: 7 } }, "APP_ONE.refreshWindowDays: must be below"],
      [{ APP_ONE: { appId: "one", takeovers: { perUserAndHour: 0.5 } } }, "APP_ONE.takeovers.perUserAndHour: must be"],
      [{ APP_ONE: { appId: "one" }, APP_TWO: { appId: "one" } }, 'APP_TWO.appId: "one" is configured twice'],
      [{ APP_ONE: { appId: "one" }, SECRETS_ONE: "not JSON" }, "SECRETS_ONE: "],
      [
        { APP_ONE: { appId: "one" }, SECRETS_ONE: { signingKeys: [{ kid: "k", secret: "top-secret" }], apiKeys: [] } },
        "SECRETS_ONE.signingKeys[0].secret: must be",
      ],
      [
        { APP_ONE: { appId: "one" }, SECRETS_ONE: { signingKeys: [signingKey, signingKey], apiKeys: [] } },
        "SECRETS_ONE.signingKeys: two keys have the same kid",
      ],
      [
        { APP_ONE: { appId: "one" }, SECRETS_ONE: { signingKeys: [{ ...signingKey, kid: "" }], apiKeys: [] } },
        "SECRETS_ONE.signingKeys[0].kid: must be",
      ],
      [
        {
          APP_ONE: { appId: "one" },
          SECRETS_ONE: { signingKeys: [], apiKeys: [{ name: "x", scope: "sender", sha256: "top-secret" }] },
        },
        "SECRETS_ONE.apiKeys[0].sha256: must be",
      ],
      [
        {
          APP_ONE: { appId: "one" },
          SECRETS_ONE: { signingKeys: [], apiKeys: [{ name: "x", scope: "all", sha256 }] },
        },
        "SECRETS_ONE.apiKeys[0].scope: must be",
      ],
    ];
    for (const [vars, problem] of wrong) {
      const problems = problemsOf(vars).join("\n");
      expect(problems, JSON.stringify(vars)).toContain(problem);
      expect(problems).not.toContain("top-secret");
    }
  });

  it.for([
    "https://*.example.com",
    "*",
    "https://app.example.com/",
    "https://app.example.com?x",
    "https://app.example.com#x",
    "https://user@app.example.com",
  ])("refuses the origin %s, which no browser sends", (origin, { expect }) => {
    const app = { appId: "one", allowedOrigins: ["https://app.example.com:8443", origin] };
    expect(problemsOf({ APP_ONE: app })).toEqual([
      expect.stringMatching(/^APP_ONE\.allowedOrigins\[1\]: must (be|name)/),
    ]);
  });

  it("refuses one API key under two names or scopes, and one name for two keys", ({ expect }) => {
    const key = (name: string, scope: string, digit: string) => ({ name, scope, sha256: digit.repeat(64) });
    const problems = (...apiKeys: object[]) =>
      problemsOf({ APP_ONE: { appId: "one" }, SECRETS_ONE: { signingKeys: [], apiKeys } });
    const sender = key("a", "sender", "1");
    expect(problems(sender, key("b", "sender", "2"))).toEqual([]);
    expect(problems(sender, key("b", "fullAccess", "1"))).toEqual([expect.stringContaining("holds one key twice")]);
    expect(problems(sender, key("a", "sender", "2"))).toEqual([expect.stringContaining("have the same name")]);
  });

  const jwt = { algorithms: ["ES256"], issuer: "i", jwksUrl: "https://i.example/k", maximumSessionDays: 1 };

  it.for(["sub", "iss", "aud", "iat", "exp", "nbf", "jti", "user.id"])(
    "refuses %s as the claim of a session",
    (sessionClaim, { expect }) => {
      const app = { appId: "one", identity: "jwt", jwt: { ...jwt, uidClaim: "user.id", sessionClaim } };
      expect(problemsOf({ APP_ONE: app })).toEqual([expect.stringContaining("APP_ONE.jwt.sessionClaim: ")]);
    },
  );

  it("makes whole milliseconds of fractions of days, which objects can store, and refuses lifetimes without end", ({
    expect,
  }) => {
    const app = (maximumSessionDays: number) => ({
      identity: "jwt",
      jwt: { ...jwt, sessionClaim: "sid", maximumSessionDays },
      refreshWindowDays: 0.041667,
      retentionDays: 1.041667,
    });
    const { rules } = deployed(app(0.041667));
    for (const ms of [rules.fenceMs, rules.refreshWindowMs, rules.retentionMs])
      expect(ms).toSatisfy(Number.isSafeInteger);
    expect(problemsOf({ APP_ONE: { appId: "one", ...app(1e300) } })).toEqual([
      expect.stringContaining("APP_ONE.jwt.maximumSessionDays: must not be above"),
    ]);
  });

  it("that is wrong for one app answers 500 for that app, and the others go on", async ({ expect }) => {
    const reply = await call("GET", "/v2/tokens", { headers: { appId: "broken", authToken: "any" } });
    expect(reply).toMatchObject({ status: 500, body: { error: { code: "ERR_OPERATION_FAILED" } } });
    expect(JSON.stringify(reply.body)).not.toContain("retentionDays");
    expect((await (await login()).call("GET", "/v2/tokens")).status).toBe(200);
  });

  it("refuses a development secret outside development", ({ expect }) => {
    const secrets = {
      signingKeys: [{ kid: "d", secret: "development-only-signing-key-of-the-demo-app" }],
      apiKeys: [],
    };
    // demo-sender-key of scripts/demo.ts, by its hash.
    const sha256 = "9d28af2ffdb47e2a7f63075bf8642d3e9995b8fc8a86b3bda44cef29920dafe5";
    const key = { signingKeys: [], apiKeys: [{ name: "sender", scope: "sender", sha256 }] };
    for (const SECRETS_ONE of [secrets, key, JSON.stringify(key)]) {
      const vars = { APP_ONE: { appId: "one" }, SECRETS_ONE };
      expect(problemsOf(vars)).toEqual([expect.stringContaining("development secret")]);
      expect(problemsOf({ ...vars, DEVELOPMENT: "false" })).toHaveLength(1);
      expect(problemsOf({ ...vars, DEVELOPMENT: "true" })).toEqual([]);
    }
  });
});
