// `npm run setup` with the real wrangler, against a fake of Cloudflare's API; what it uploads is served by workerd.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { globSync, readFileSync } from "node:fs";
import { readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it, onTestFinished } from "vitest";
import { deploy } from "../../scripts/deploy.ts";
import { type Environment, parse } from "../../scripts/lib/command.ts";
import { Output } from "../../scripts/lib/output.ts";
import { command, type SetupOptions, setup } from "../../scripts/setup.ts";
import { checkout } from "../support/node/checkout.ts";
import { Device } from "../support/node/device.ts";
import { FakeCloudflare, type FakeOptions } from "../support/node/fake-cloudflare.ts";
import { temporary } from "../support/node/local.ts";

const NEW_APP = ["--app-id", "acme", "--region", "eu", "--origins", "https://app.example.com"];
const NOTHING: SetupOptions = {
  "app-id": null,
  name: null,
  region: null,
  identity: null,
  origins: null,
  url: null,
  yes: false,
};
const NEW_APP_OPTIONS = { "app-id": "acme", region: "eu" };
const WORKER = "push-notification-eu";

interface Ended {
  code: number | null;
  /** stdout and stderr. */
  printed: string;
}

type Answer = (question: string, byDefault: string) => string;

interface World {
  fake: FakeCloudflare;
  project: string;
  home: string;
  /** Runs `npm run <script> -- args`; `onStart` gets what ends it. */
  run(
    script: "setup" | "deploy",
    args: readonly string[],
    more?: { env?: Record<string, string | undefined> },
  ): Promise<Ended>;
  setup(...args: string[]): Promise<Ended>;
  /** The same in this process; `ask` is asked. */
  here(options: Partial<SetupOptions>, ask?: Answer | null, env?: Record<string, string | undefined>): Promise<void>;
  /** Kills the run under way, and wrangler with it. */
  kill(): void;
  read(file: string): Promise<string>;
}

async function world(options: FakeOptions = {}): Promise<World> {
  const fake = await FakeCloudflare.start(options);
  onTestFinished(() => fake.stop());
  const [project, home] = [await checkout(), await temporary("home")];
  const { PATH, NODE_COMPILE_CACHE } = process.env;
  const own = { PATH, NODE_COMPILE_CACHE, HOME: home, NO_COLOR: "1" };
  const environment: Environment = { ...own, CLOUDFLARE_ACCOUNT_ID: "acc", ...fake.env };
  let group = 0;
  const run: World["run"] = async (script, args) => {
    const child = spawn(process.execPath, [join(project, `scripts/${script}.ts`), ...args], {
      cwd: project,
      // A process group of its own, to be killed as a whole.
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: environment as NodeJS.ProcessEnv,
    });
    group = child.pid ?? 0;
    let printed = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (printed += chunk));
    const [code] = await once(child, "close");
    return { code, printed };
  };
  return {
    fake,
    project,
    home,
    run,
    setup: (...args) => run("setup", [...args, "--url", fake.url]),
    here: async (options, ask = null, env = {}) => {
      await setup(
        { ...NOTHING, ...options },
        {
          project,
          env: { ...environment, ...env },
          ask: ask === null ? null : async (question, byDefault) => ask(question, byDefault),
          output: new Output(false, { out: { write: () => true }, progress: { write: () => true } }),
        },
      );
    },
    kill: () => process.kill(-group, "SIGKILL"),
    read: (file) => readFile(join(project, file), "utf8"),
  };
}

/** The API keys that were printed, by scope. */
function keysIn(printed: string): Record<string, string> {
  return Object.fromEntries([...printed.matchAll(/^ {2}(\w+) +(ptr_\S+)$/gm)].map(([, scope, key]) => [scope, key]));
}

/** What an upload sent under a name. */
function sent(fake: FakeCloudflare, name: string) {
  return fake.scripts.get(WORKER)?.sent.find((binding) => binding.name === name);
}

async function works(fake: FakeCloudflare, appId: string, apikey = ""): Promise<boolean> {
  const response = await fetch(`${fake.url}/health/deep`, { headers: { appId, apikey } });
  return response.status === 200;
}

/** What the JavaScript SDK and a sender see of alice, by the line and the keys that were printed: she registers and logs out. */
async function driven(fake: FakeCloudflare, printed: string, keys: Record<string, string>) {
  const { host } = new URL(fake.url);
  const back = async (method: string, call: string, apikey = "") => {
    const reply = await fetch(`${fake.url}/v3/users/alice/${call}`, { method, headers: { appId: "acme", apikey } });
    return ((await reply.json()) as { data: { authToken: string; pushTokens: { token: string }[] } }).data;
  };
  const seen = async () => (await back("GET", "push_tokens", keys.sender)).pushTokens.map(({ token }) => token);
  const { authToken } = await back("POST", "auth_tokens", keys.authOnly);
  const hosts = [host, `push-notification-eu.${host}`];
  const device = new Device({ sdk: "javascript", registry: fake, appId: "acme", host, hosts });
  const { CometChat } = device;
  const [line = ""] = printed.match(/new CometChat\.AppSettingsBuilder\(\).*$/m) ?? [];
  await CometChat.init("acme", new Function("CometChat", `return ${line}`)(CometChat));
  await CometChat.login(authToken);
  await device.extension("POST", "v2/tokens", { fcmToken: "the-token-of-alice" });
  const listed = await device.extension("GET", "v2/tokens", null);
  const before = await seen();
  await CometChat.logout();
  device.close();
  return { listed, seen: [before, await seen()] };
}

// Each run starts wrangler some times, which takes seconds on a busy machine.
describe("npm run setup", { timeout: 300_000 }, () => {
  it("goes live the first time, upgrades the second, and adds an app the third: keys stay", async ({ expect }) => {
    const { fake, setup, read, run, project, home } = await world();
    const first = await setup(...NEW_APP);
    expect(first).toMatchObject({ code: 0 });
    const keys = keysIn(first.printed);
    expect(Object.keys(keys)).toEqual(["fullAccess", "sender", "authOnly"]);
    expect(await works(fake, "acme", keys.fullAccess)).toBe(true);
    expect(first.printed).toContain(`setRegion("eu").overrideClientHost("${new URL(fake.url).host}/v3.0")`);
    expect(await driven(fake, first.printed, keys)).toEqual({
      listed: { ios: [], web: ["the-token-of-alice"], android: [] },
      seen: [["the-token-of-alice"], []],
    });
    expect(first.printed).toContain("git add wrangler.toml src/env.d.ts deployed.json");

    const toml = await read("wrangler.toml");
    expect(toml).toContain(`name = "${WORKER}"`);
    expect(toml).toContain(
      '[vars.APP_ACME]\nappId = "acme"\nregion = "eu"\nidentity = "issued"\nallowedOrigins = ["https://app.example.com"]',
    );
    expect(toml).toContain('required = ["SECRETS_ACME"]');
    expect(await read("src/env.d.ts")).toContain("SECRETS_ACME: string");
    expect(JSON.parse(await read("deployed.json"))).toHaveProperty("acme");
    const { bindings, metadata } = fake.scripts.get(WORKER) ?? { bindings: [], metadata: {} };
    expect(bindings.map(({ name }) => name).filter((name) => /DEMO|DEVELOPMENT/.test(name))).toEqual([]);
    expect(metadata).not.toHaveProperty("package_dependencies");

    // Where keys may be: the file, the terminal once, and the upload (hashes only).
    expect((await stat(join(project, ".secrets.json"))).mode & 0o777).toBe(0o600);
    expect((await read(".gitignore")).split("\n")).toContain(".secrets.json");
    const secret = JSON.parse((await read(".secrets.json")).toString()).SECRETS_ACME.secret;
    const hidden = [...Object.values(keys), JSON.parse(secret).signingKeys[0].secret];
    const files = [...(await textsIn(project, [".secrets.json"])), ...(await textsIn(home, []))];
    expect(files.filter(({ text }) => hidden.some((key) => text.includes(key))).map(({ path }) => path)).toEqual([]);
    expect(sent(fake, "SECRETS_ACME")).toMatchObject({ type: "secret_text", text: secret });
    for (const key of Object.values(keys)) {
      expect(fake.received.filter(({ body }) => body.includes(key))).toEqual([]);
      expect(secret).toContain(createHash("sha256").update(key).digest("hex"));
    }

    // As in a colleague's clone, which has what is committed and no keys.
    await rm(join(project, ".secrets.json"));
    const second = await setup();
    expect(second).toMatchObject({ code: 0 });
    expect(keysIn(second.printed)).toEqual({});
    expect(sent(fake, "SECRETS_ACME")).toMatchObject({ type: "inherit" });
    expect(await works(fake, "acme", keys.fullAccess)).toBe(true);

    const third = await setup("--app-id", "beta");
    expect(third).toMatchObject({ code: 0 });
    expect(third.printed).toContain("SDKs of beta:");
    expect([sent(fake, "SECRETS_ACME")?.type, sent(fake, "SECRETS_BETA")?.type]).toEqual(["inherit", "secret_text"]);
    expect(await read("wrangler.toml")).toContain('required = ["SECRETS_ACME", "SECRETS_BETA"]');
    expect([
      await works(fake, "acme", keys.fullAccess),
      await works(fake, "beta", keysIn(third.printed).fullAccess),
    ]).toEqual([true, true]);

    // npm run deploy hands its arguments on.
    const tagged = await run("deploy", ["--message", "a message of the operator", "--dry-run"]);
    expect(tagged).toMatchObject({ code: 0, printed: expect.stringContaining("--dry-run: exiting now") });
  });

  // A run that is killed leaves what is on disk and at Cloudflare at that moment. So every request is looked at, and a run is killed
  // at the first one of each such state.
  it("goes on with the same keys after it was killed at any request", async ({ expect }) => {
    const { fake, setup, kill, read, project } = await world();
    const seen = new Set<string>();
    const made: string[] = [];
    for (;;) {
      let isKilled = false;
      fake.interrupt = () => {
        const state = stateOf(project, fake);
        if (isKilled || seen.has(state)) return;
        seen.add(state);
        isKilled = true;
        kill();
      };
      const { code, printed } = await setup(...NEW_APP);
      const kept = await read(".secrets.json").catch(() => "");
      if (kept !== "") made.push(JSON.parse(kept).SECRETS_ACME.secret);
      if (isKilled) continue;
      expect({ code, printed }).toMatchObject({ code: 0 });
      fake.interrupt = () => undefined;
      expect(await works(fake, "acme", keysIn(printed).fullAccess)).toBe(true);
      break;
    }
    // Before there are keys; with keys; uploaded; on workers.dev; deployed, but not yet looked at.
    expect(seen.size).toBeGreaterThanOrEqual(5);
    expect([made.length, new Set(made).size]).toEqual([seen.size, 1]);
    expect((await readdir(project)).filter((file) => file.includes(".secrets"))).toEqual([".secrets.json"]);
  });

  it("stops where there is no name on workers.dev yet, with keys kept for the next run", async ({ expect }) => {
    const { fake, setup, read } = await world({ subdomain: null });
    const { code, printed } = await setup(...NEW_APP);
    expect(code).toBe(1);
    expect(printed).toContain("workers.dev subdomain");
    expect(printed).toContain("Run npm run setup again once that is mended: it goes on with the same keys.");
    expect(keysIn(printed)).toEqual({});
    expect(fake.scripts.size).toBe(0);
    expect(await read(".secrets.json")).toContain("SECRETS_ACME");
  });

  it("replaces no Worker that is not this one's, unless told to", async ({ expect }) => {
    const { fake, here } = await world();
    fake.put(WORKER, ["SECRETS_OTHER"]);
    await expect(here(NEW_APP_OPTIONS)).rejects.toThrow(/^There is a Worker push-notification-eu .* --yes\.$/);
    const asked: string[] = [];
    const say = (question: string) => {
      asked.push(question);
      return "no";
    };
    await expect(here({ "app-id": "acme" }, say)).rejects.toThrow("Nothing was deployed");
    expect(asked).toEqual([expect.stringContaining("Replace it?")]);
    expect(fake.scripts.get(WORKER)?.code).toBe("theirs");
    expect(fake.received.filter(({ method }) => method !== "GET")).toEqual([]);
  });

  it("stops where nobody is logged in, and where there are several accounts, before it writes anything", async ({
    expect,
  }) => {
    const accounts = [
      { id: "first", name: "Acme" },
      { id: "second", name: "Acme Labs" },
    ];
    const { here, read } = await world({ accounts });
    const before = await read("wrangler.toml");
    const nobody = here(NEW_APP_OPTIONS, null, { CLOUDFLARE_API_TOKEN: undefined });
    await expect(nobody).rejects.toThrow("Nobody is logged in to Cloudflare: run npx wrangler login");
    const several = here(NEW_APP_OPTIONS, null, { CLOUDFLARE_ACCOUNT_ID: undefined });
    await expect(several).rejects.toThrow(
      /CLOUDFLARE_ACCOUNT_ID which one\.\n {2}first {2}Acme\n {2}second {2}Acme Labs$/,
    );
    expect(await read("wrangler.toml")).toBe(before);
  });

  it("asks for what it was not told: the account, which it writes down, and the app", async ({ expect }) => {
    const accounts = [
      { id: "first", name: "Acme" },
      { id: "second", name: "Acme Labs" },
    ];
    const { fake, here, read } = await world({ accounts });
    fake.put("push-notification-in");
    const answers = ["second", "acme", "in", "", "", "no"];
    const ask = (_: string, byDefault: string) => answers.shift() || byDefault;
    const options = { "app-id": null, region: null, origins: null };
    await expect(here(options, ask, { CLOUDFLARE_ACCOUNT_ID: undefined })).rejects.toThrow("Nothing was deployed");
    expect(answers).toEqual([]);
    expect(await read("wrangler.toml")).toMatch(/^name = "push-notification-in"\naccount_id = "second"$/m);
    expect(await read("wrangler.toml")).toMatch(/appId = "acme"\nregion = "in"\nidentity = "issued"\n$/);
    expect(fake.received.at(-1)?.path).toContain("/accounts/second/");
  });

  it.for([
    ["no id", { "app-id": null }, "--app-id is needed"],
    ["the demo app's id", { "app-id": "demo" }, '--app-id: "demo" is the app of npm start'],
    ["an impossible id", { "app-id": "a b" }, "--app-id must be 1 to 64 letters"],
    ["an impossible region", { region: "U S" }, "--region must be 1 to 32"],
    ["an origin that is none", { origins: "app.acme.example" }, "--origins must be an origin such as"],
    ["an impossible name", { name: "acme" }, "--name must be like ACME"],
  ] as const)("refuses %s by name, and leaves wrangler.toml as it was", async ([, wrong, says], { expect }) => {
    const { here, read } = await world();
    const before = await read("wrangler.toml");
    await expect(here({ ...NEW_APP_OPTIONS, ...wrong })).rejects.toThrow(says);
    expect(await read("wrangler.toml")).toBe(before);
  });

  it("says in one sentence what to do where it may not write, and asks Cloudflare nothing", async ({ expect }) => {
    const { fake, here, project } = await world();
    await writeFile(join(project, ".wrangler"), "in the way of the directory");
    const says =
      /^The Worker cannot be built, because \S+ cannot be written \(\w+\): copy it .* run npm ci .* there\.$/;
    await expect(here(NEW_APP_OPTIONS)).rejects.toThrow(says);
    await expect(deploy({ project, args: [], env: process.env })).rejects.toThrow(says);
    expect(fake.received).toEqual([]);
  });

  it("overlooks no option: of an app that is there, and an address that is none", async ({ expect }) => {
    const { fake, here, read, project } = await world();
    const toml = `${await read("wrangler.toml")}\n[vars.APP_ACME]\nappId = "acme"\nregion = "eu"\n`;
    await writeFile(join(project, "wrangler.toml"), toml);
    await expect(here({ "app-id": "acme", region: "us" })).rejects.toThrow(
      '--region: [vars.APP_ACME] in wrangler.toml has "eu"; change it there',
    );
    expect(() => parse(command, ["--url", "acme.example"], {})).toThrow("--url must be an http or https URL");
    expect(fake.received).toEqual([]);
  });

  it("leaves a wrangler.toml alone that it cannot edit, and says what to add", async ({ expect }) => {
    const { here, read, project } = await world();
    const odd = `${(await read("wrangler.toml")).replace(/^\[secrets\]\n.*/m, "")}\n[secrets]\nrequired = [ # none\n]\n`;
    await writeFile(join(project, "wrangler.toml"), odd);
    await expect(here(NEW_APP_OPTIONS)).rejects.toThrow(/Add this by hand.*\n\n\[vars\.APP_ACME\]\nappId = "acme"/s);
    expect(await read("wrangler.toml")).toBe(odd);
  });
});

/** What a killed run leaves: the files that setup writes, and what Cloudflare has. */
function stateOf(project: string, { scripts }: FakeCloudflare): string {
  const files = globSync("{wrangler.toml,deployed.json,.secrets.json*,src/env.d.ts}", { cwd: project }).sort();
  const contents = files.map((file) => [file, readFileSync(join(project, file), "utf8")]);
  const workers = [...scripts].map(([name, { code, bindings, isOnWorkersDev }]) => [
    name,
    code,
    bindings,
    isOnWorkersDev,
  ]);
  return createHash("sha256")
    .update(JSON.stringify([contents, workers]))
    .digest("hex");
}

/** The files of a directory as text, but for its packages. */
async function textsIn(directory: string, without: readonly string[]): Promise<{ path: string; text: string }[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile() && !without.includes(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !path.includes("node_modules"));
  return await Promise.all(paths.map(async (path) => ({ path, text: await readFile(path, "utf8") })));
}
