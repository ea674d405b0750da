// What `npm run check:config` and `npm run keys` do, as their users run them.
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, onTestFinished } from "vitest";
import { type Configuration, check, command as checkConfig, problemsOf } from "../../scripts/check-config.ts";
import { command as keysCommand, makeSecrets } from "../../scripts/keys.ts";
import { ConfigError, parseConfig } from "../../src/config/apps.ts";
import { executed } from "../support/node/caught.ts";

const VALID: Configuration = {
  vars: { APP_ACME: { appId: "acme" } },
  requiredSecrets: ["SECRETS_ACME"],
  rateLimits: ["RATE_LIMIT_IP", "RATE_LIMIT_STRICT"],
  deployed: { acme: { policy: "exclusive", jurisdiction: null } },
};

const ACCESS = {
  teamDomain: "acme.cloudflareaccess.com",
  audience: "0".repeat(64),
  people: [
    { email: "anna@acme.com", app: "acme", scope: "fullAccess" },
    { email: "ben@acme.com", app: "acne", scope: "sender" },
    { email: "Anna@acme.com", app: "acme", scope: "sender" },
  ],
};

const JWT_APP = {
  appId: "acme",
  identity: "jwt",
  jwt: { algorithms: ["HS256"], issuer: "acme", sessionClaim: "device", maximumSessionDays: 180 },
};

const REQUIRED = '[secrets]\nrequired = ["SECRETS_A"]\n';

/** A wrangler.toml in a directory of its own, and the record beside it. */
async function files({ toml, record }: { toml?: string; record?: string }): Promise<{ file: string }> {
  const directory = await mkdtemp(join(tmpdir(), "push-token-registry-config-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const file = join(directory, "wrangler.toml");
  if (toml !== undefined) await writeFile(file, toml);
  if (record !== undefined) await writeFile(join(directory, "deployed.json"), record);
  return { file };
}

describe("problemsOf", () => {
  it("names what is wrong with the list of those who use the console by Cloudflare Access", ({ expect }) => {
    const of = (CONSOLE_ACCESS: object, CONSOLE?: string) =>
      problemsOf({ ...VALID, vars: { ...VALID.vars, CONSOLE_ACCESS, ...(CONSOLE === undefined ? {} : { CONSOLE }) } });
    const [anna] = ACCESS.people;
    expect(of({ ...ACCESS, people: [anna] }, "true")).toEqual([]);
    expect(of({ ...ACCESS, people: [anna] })).toEqual(['CONSOLE_ACCESS: needs CONSOLE = "true"']);
    expect(of(ACCESS, "true")).toEqual([
      'CONSOLE_ACCESS.people[1].app: there is no app "acne"',
      "CONSOLE_ACCESS.people[2]: stands there twice for one app",
    ]);
    expect(of({ ...ACCESS, teamDomain: "https://acme.cloudflareaccess.com", audience: undefined }, "true")).toEqual([
      expect.stringContaining("CONSOLE_ACCESS.teamDomain: must be a host name"),
      expect.stringContaining("CONSOLE_ACCESS.audience: "),
    ]);
  });

  it("finds nothing wrong with an app that has an id and a secret", ({ expect }) => {
    expect(problemsOf(VALID)).toEqual([]);
    expect(problemsOf({ ...VALID, deployed: {} })).toEqual([]);
  });

  it("names the field that is wrong, the secret that is missing, and the limit that is not bound", ({ expect }) => {
    const wrong: [Partial<Configuration>, string][] = [
      [{ vars: { APP_ACME: { appId: "demo" } } }, 'APP_ACME.appId: "demo" is the app of npm start'],
      [{ vars: { APP_ACME: { appId: "acme", policy: "both" } } }, "APP_ACME.policy: must be"],
      [{ vars: { APP_ACME: { appId: "acme" }, DEVELOPMENT: "true" } }, "DEVELOPMENT: is for npm start only"],
      [{ requiredSecrets: [] }, 'must hold "SECRETS_ACME"'],
      [{ requiredSecrets: ["SECRETS_ACME", "SECRETS_GONE"] }, '"SECRETS_GONE" is of no app'],
      [{ vars: { APP_ACME: { appId: "acme", rateLimits: { ip: "LOOSE" } } } }, "APP_ACME.rateLimits.ip: there is no"],
    ];
    for (const [change, problem] of wrong) {
      expect(problemsOf({ ...VALID, ...change })).toEqual([expect.stringContaining(problem)]);
    }
    const strict = { vars: { APP_ACME: { appId: "acme", rateLimits: { ip: "STRICT", key: "none" } } } };
    expect(problemsOf({ ...VALID, ...strict })).toEqual([]);
  });

  it("refuses another policy than the deployed one, unless it is declared as a change from that one", ({ expect }) => {
    const policy = (more: object) => problemsOf({ ...VALID, vars: { APP_ACME: { appId: "acme", ...more } } });
    expect(policy({ policy: "shared" })).toEqual([expect.stringContaining('policyChangedFrom = "exclusive"')]);
    expect(policy({ policy: "shared", policyChangedFrom: "shared" })).toHaveLength(1);
    expect(policy({ policy: "shared", policyChangedFrom: "exclusive" })).toEqual([]);
  });

  it.for([["fcmInstallations", true, false]] as const)(
    "refuses a change of %s that is not declared",
    ([field, before, after], { expect }) => {
      const deployed = { acme: { policy: "exclusive", jurisdiction: null, [field]: before } as const };
      const changed = (more: object) =>
        problemsOf({ ...VALID, deployed, vars: { APP_ACME: { appId: "acme", [field]: after, ...more } } });
      expect(changed({})).toEqual([
        expect.stringContaining(`APP_ACME.${field}: ${JSON.stringify(before)} is deployed`),
      ]);
      expect(changed({ [`${field}ChangedFrom`]: after })).toHaveLength(1);
      expect(changed({ [`${field}ChangedFrom`]: before })).toEqual([]);
    },
  );

  const jwt = (more: object = {}) => ({
    identity: "jwt",
    jwt: {
      algorithms: ["HS256"],
      issuer: "https://login.example.com",
      sessionClaim: "sid",
      maximumSessionDays: 90,
      ...more,
    },
  });
  const issued = (maximumSeconds: number) => ({ authTokens: { defaultSeconds: 3600, maximumSeconds } });
  it.for<[string, string, object, boolean]>([
    ["takes the same rule", "issued 7776000", {}, true],
    ["takes a longer life of minted tokens", "issued 86400", {}, true],
    ["refuses a shorter life of minted tokens", "issued 7776000", issued(86_400), false],
    ["takes the same rule of an own login", "jwt sub sid 7776000", jwt(), true],
    ["takes shorter sessions of an own login", "jwt sub sid 7776000", jwt({ maximumSessionDays: 0.5 }), true],
    ["refuses longer sessions of an own login", "jwt sub sid 43200", jwt(), false],
    ["refuses another name of sessions", "jwt sub sid 7776000", jwt({ sessionClaim: "session.id" }), false],
    ["refuses another name of users", "jwt sub sid 7776000", jwt({ uidClaim: "user_id" }), false],
    ["refuses another identity", "issued 7776000", jwt(), false],
    ["refuses another identity that says no time", "issued 7776000", { identity: "cometchat" }, false],
    ["takes whatever follows a record of before this was noted", "", jwt(), true],
  ])("%s, unless it is declared: after %j", ([, sessions, table, isFine], { expect }) => {
    const before = { policy: "exclusive", jurisdiction: null, ...(sessions === "" ? {} : { sessions }) } as const;
    const problems = (more: object = {}) =>
      problemsOf({ ...VALID, deployed: { acme: before }, vars: { APP_ACME: { appId: "acme", ...table, ...more } } });
    const refused = expect.stringContaining(`declare sessionsChangedFrom = "${sessions}"`);
    expect(problems()).toEqual(isFine ? [] : [refused]);
    expect(problems({ sessionsChangedFrom: "issued 1" })).toEqual(isFine ? [] : [refused]);
    if (sessions !== "") expect(problems({ sessionsChangedFrom: sessions })).toEqual([]);
  });

  it("refuses to change uidCase, which nothing declares", ({ expect }) => {
    const vars = { APP_ACME: { appId: "acme", identity: "issued", uidCase: "insensitive" } };
    const deployed = { acme: { policy: "exclusive", uidCase: "sensitive", jurisdiction: null } as const };
    expect(problemsOf({ ...VALID, vars, deployed })).toEqual([expect.stringContaining("APP_ACME.uidCase")]);
  });

  it.for<[object, string[]]>([
    [{ objects: 8, epoch: 2 }, []],
    [{ objects: 32, epoch: 3, complete: false }, []],
    [{ epoch: 3, complete: false }, []],
    [{ epoch: 3 }, ["APP_ACME.directory.complete: must be false until"]],
    [{ epoch: 1, complete: false }, ["APP_ACME.directory.epoch: must be above 2, which is deployed: an epoch never"]],
    [
      { objects: 32, epoch: 2, complete: false },
      ["APP_ACME.directory.epoch: must be above 2, which is deployed: objects = 8"],
    ],
  ])("takes the directory %j after epoch 2 with 8 objects, or says why not", ([directory, problems], { expect }) => {
    const vars = { APP_ACME: { appId: "acme", directory } };
    const deployed = {
      acme: { policy: "exclusive", directory: { objects: 8, epoch: 2 }, jurisdiction: null } as const,
    };
    const found = problemsOf({ ...VALID, vars, deployed });
    expect(found).toEqual(problems.map((problem) => expect.stringContaining(problem)));
  });

  it("refuses to move an app to another jurisdiction", ({ expect }) => {
    const vars = { APP_ACME: { appId: "acme", jurisdiction: "eu" } };
    expect(problemsOf({ ...VALID, vars })).toEqual([
      expect.stringContaining("APP_ACME.jurisdiction: none is deployed"),
    ]);
    expect(problemsOf({ ...VALID, vars, deployed: { acme: { policy: "exclusive", jurisdiction: "eu" } } })).toEqual([]);
  });
});

describe("npm run check:config", () => {
  it("accepts the wrangler.toml of this repository, with whatever apps it has", async ({ expect }) => {
    const { problems, lines } = await check({});
    expect(problems).toEqual([]);
    expect(lines).not.toEqual([]);
  });

  it("accepts a file without an app, but for a deploy", async ({ expect }) => {
    const { file } = await files({ toml: 'name = "x"\n' });
    expect(await check({ config: file })).toEqual({ problems: [], lines: [expect.stringContaining("npm run setup")] });
    for (const forDeploy of [{ forDeploy: true }, { record: true }]) {
      const refused = { problems: [expect.stringContaining("npm run setup")], lines: [] };
      expect(await check({ config: file, ...forDeploy })).toEqual(refused);
    }
  });

  it.for([
    [
      "text that is no TOML",
      { toml: 'name = "x"\n[vars.APP_A]\nappId = "a\n' },
      /wrangler\.toml:3:\d+: is no TOML: \S/,
    ],
    [
      "a field of the wrong type",
      { toml: 'name = "x"\n[secrets]\nrequired = "A"\n' },
      /wrangler\.toml: .*secrets\.required/,
    ],
    [
      "an app without an id",
      { toml: `name = "x"\n[vars.APP_A]\nregion = "us"\n${REQUIRED}` },
      /^APP_A\.appId: must be text$/,
    ],
    ["a record that is no JSON", { toml: 'name = "x"\n', record: "{" }, /deployed\.json: .*no JSON.*git checkout/],
    [
      "a record of another shape",
      { toml: 'name = "x"\n', record: '{"a":{"policy":3}}' },
      /deployed\.json: .*at a\.policy/,
    ],
    ["no file", {}, /wrangler\.toml: there is no such file$/],
    [
      "no such environment",
      { toml: 'name = "x"\n' },
      /wrangler\.toml: there is no \[env\.staging\]; add it/,
      "staging",
    ],
  ] as const)("says in one line what is wrong: %s", async ([, given, says, env], { expect }) => {
    const { file } = await files(given);
    const { code, out, errors } = await executed(checkConfig, [
      "--config",
      file,
      ...(env === undefined ? [] : ["--env", env]),
    ]);
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(errors.trimEnd()).toMatch(says);
    expect(errors.trimEnd()).not.toContain("\n");
  });

  it("notes what was deployed, and refuses to change it unnoticed afterwards", async ({ expect }) => {
    const { file } = await files({});
    const write = (app: string) =>
      writeFile(file, `name = "x"\n[secrets]\nrequired = ["SECRETS_ACME"]\n[vars.APP_ACME]\nappId = "acme"\n${app}\n`);
    const deployed = async () => JSON.parse(await readFile(join(file, "../deployed.json"), "utf8"));
    await write("");
    expect((await check({ config: file, record: true })).problems).toEqual([]);
    const settings = {
      policy: "exclusive",
      fcmInstallations: true,
      uidCase: "sensitive",
      sessions: "issued 7776000",
      directory: { objects: 8, epoch: 1 },
      jurisdiction: null,
    };
    expect(await deployed()).toEqual({ acme: settings });
    await write('policy = "shared"');
    const refused = await check({ config: file, record: true });
    expect(refused).toEqual({ problems: [expect.stringContaining("APP_ACME.policy")], lines: [] });
    expect(await deployed()).toMatchObject({ acme: { policy: "exclusive" } });
    await write('policy = "shared"\npolicyChangedFrom = "exclusive"');
    expect((await check({ config: file, record: true })).problems).toEqual([]);
    expect(await deployed()).toMatchObject({ acme: { policy: "shared" } });
  });
});

describe("npm run keys", () => {
  it("prints keys of each scope, and a secret that the Worker accepts and that holds only their hashes", async ({
    expect,
  }) => {
    const { code, out } = await executed(keysCommand, ["ACME"]);
    expect(code).toBe(0);
    expect(out).toContain("npx wrangler secret put SECRETS_ACME");
    const secret = out.split("\n").find((line) => line.startsWith("{")) ?? "";
    const keys = [...out.matchAll(/^ {2}(\w+) +(ptr_\S+)$/gm)].map(([, scope, key]) => ({ scope, key: key ?? "" }));
    expect(keys.map(({ scope }) => scope)).toEqual(["fullAccess", "sender", "authOnly"]);
    const app = parseConfig({ APP_ACME: { appId: "acme" }, SECRETS_ACME: secret }).apps.get("acme");
    if (app === undefined || app instanceof ConfigError) throw new Error(`refused: ${app?.message}`);
    expect(app.signingKeys).toHaveLength(1);
    for (const { scope, key } of keys) {
      const sha256 = createHash("sha256").update(key).digest("hex");
      expect(app.apiKeys).toContainEqual({ name: expect.stringMatching(`^${scope}-`), scope, sha256 });
      expect(secret).not.toContain(key);
    }
    expect((await executed(keysCommand, ["ACME"])).out).not.toContain(keys[0]?.key);
  });

  it("prints single entries for a rotation", async ({ expect }) => {
    const { code, out } = await executed(keysCommand, ["ACME", "--api-key", "sender", "--signing-key", "--jwt-secret"]);
    expect(code).toBe(0);
    const [apiKey, signingKey, jwtSecret] = out.split("\n").filter((line) => line.startsWith("{"));
    const secret = `{"apiKeys":[${apiKey}],"signingKeys":[${signingKey}],"jwtSecrets":[${jwtSecret}]}`;
    expect(parseConfig({ APP_ACME: JWT_APP, SECRETS_ACME: secret }).apps.get("acme")).toMatchObject({
      apiKeys: [{ scope: "sender" }],
      signingKeys: [{ secret: expect.any(String) }],
      jwt: { secrets: [{ kid: expect.any(String) }] },
    });
  });

  it("makes what an own login shares with the registry, where its JWTs are signed so", ({ expect }) => {
    const { value, jwtSecret } = makeSecrets(JWT_APP);
    expect(parseConfig({ APP_ACME: JWT_APP, SECRETS_ACME: value }).apps.get("acme")).toMatchObject({
      jwt: { secrets: [jwtSecret] },
    });
    expect(makeSecrets({ appId: "acme" }).value).not.toContain("jwtSecrets");
  });

  it("explains itself, and refuses what it does not know", async ({ expect }) => {
    expect((await executed(keysCommand, ["--help"])).out).toContain("npm run keys");
    for (const args of [["acme"], ["A", "B"], ["ACME", "--api-key", "all"]]) {
      const { code, out, errors } = await executed(keysCommand, args);
      expect(code).toBe(2);
      expect(out).toBe("");
      expect(errors).not.toBe("");
    }
  });
});
