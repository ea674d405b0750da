// `npm start`, as people run it.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, it, onTestFinished } from "vitest";
import { localBindings } from "../../scripts/demo.ts";
import { PROJECT } from "../../scripts/lib/workerd.ts";
import { checkout } from "../support/node/checkout.ts";
import { pasted, section, start, startAndEnd, temporary } from "../support/node/local.ts";

describe("npm start", () => {
  it("prints calls that register, show what a sender sees, list and delete, in this order", async ({ expect }) => {
    const local = await start();
    const long = local.out.split("\n").filter((line) => line.length > 120);
    expect(long.filter((line) => !/AUTH_TOKEN=|NODE_EXTRA_CA_CERTS=/.test(line))).toEqual([]);
    expect(local.out).not.toMatch(/wrangler|Binding|⛅/);
    const calls = section(local, "deletes this login's.\n", "The JavaScript SDK");
    const replies = (await pasted(calls.replaceAll(/^ {2}curl.*$/gm, "$&; echo"))).trim().split("\n");
    const [registered, seen, listed, deleted] = replies.map((line) => JSON.parse(line).data);
    expect(registered).toMatchObject({ success: true });
    expect(seen.pushTokens).toMatchObject([{ token: "demo-fcm-token", kind: "fcm" }]);
    expect([...listed.web, ...listed.android, ...listed.ios]).toEqual(["demo-fcm-token"]);
    expect(deleted).toMatchObject({ success: true });
    expect((await fetch(`${local.url}/reference`)).headers.get("content-type")).toMatch("text/html");
    expect(await (await fetch(`${local.url}/openapi.json`)).json()).toHaveProperty("openapi");

    const inUse = await startAndEnd(["--port", "0", "--persist-to", local.data]);
    const refused = {
      code: 1,
      out: "",
      errors: expect.stringMatching(/^\S+ is already in use by .*--persist-to\.\n$/),
    };
    expect(inUse).toEqual(refused);
  });

  it("keeps data and certificate for the next run, and ends with 0 when asked", async ({ expect }) => {
    const first = await start();
    const certificate = join(first.data, "https/cert.pem");
    const before = await readFile(certificate, "utf8");
    expect((await stat(join(first.data, "https/key.pem"))).mode & 0o777).toBe(0o600);
    await pasted(section(first, "deletes this login's.\n", "  curl $URL/v3"));
    expect(await first.stop("SIGINT")).toMatchObject({ code: 0, errors: "" });

    const second = await start(["--local-protocol", "https"], { data: first.data });
    expect(await readFile(certificate, "utf8")).toBe(before);
    const headers = { appId: "demo", apikey: "demo-sender-key" };
    const reply = await fetch(`${second.url}/v3/users/alice/push_tokens`, { headers });
    expect(await reply.json()).toMatchObject({ data: { pushTokens: [{ token: "demo-fcm-token" }] } });

    process.kill(await second.workerd(), "SIGKILL");
    // Which does nothing: it ends by itself.
    expect(await second.stop("SIGCONT")).toMatchObject({ code: 1 });
  });

  it("ends with npm", async ({ expect }) => {
    const data = await temporary("start");
    const npm = spawn("npm", ["--silent", "start", "--", "--port", "0", "--persist-to", data], { cwd: PROJECT });
    await once(createInterface({ input: npm.stdout }), "line");
    const workerd = Number(await readFile(join(data, "server.lock"), "utf8"));
    npm.kill("SIGTERM");
    // Only once every process is gone that could still print.
    await once(npm, "close");
    expect(() => process.kill(workerd, 0)).toThrow("ESRCH");
  });

  it("refuses to start where only the port of https is taken", async ({ expect }) => {
    const other = createServer().listen(0, "127.0.0.1");
    onTestFinished(() => void other.close());
    await once(other, "listening");
    const port = (other.address() as { port: number }).port;
    const { code, errors } = await startAndEnd(["--port", String(port - 1), "--persist-to", await temporary("start")]);
    const says = new RegExp(`^Port ${port} is already in use: choose another with --port\\.\n$`);
    expect({ code, errors }).toEqual({ code: 1, errors: expect.stringMatching(says) });
  });

  it("serves an operator's own app with the demo keys, and names one that is wrong", async ({ expect }) => {
    const own = `
[vars.APP_ACME]
appId = "acme"
publicHost = "push-notification-us.acme.example"
[vars.APP_WRONG]
appId = "wrong"
policy = "both"
`;
    const local = await start([], { project: await checkout(own) });
    expect(local.out).toContain("App acme, of [vars.APP_ACME], with the same API keys.");
    expect(local.out).toContain("WRONG in wrangler.toml: APP_WRONG.policy: must be");
    const headers = { appId: "acme", apikey: "demo-auth-key" };
    const minted = await fetch(`${local.url}/v3/users/bob/auth_tokens`, { method: "POST", headers });
    const { data } = (await minted.json()) as { data: { authToken: string } };
    const settings = await fetch(`${local.url}/v3.0/settings`, {
      headers: { appId: "acme", authToken: data.authToken },
    });
    // Not where the app is deployed.
    expect(await settings.json()).toMatchObject({ data: { CLIENT_API_HOST: new URL(local.url).host } });
  });

  it.for([
    [
      "a checkout that cannot be written",
      async (project: string) => await writeFile(join(project, ".wrangler"), "in the way of the directory"),
      /cannot be written \(\w+\): copy it to a directory of your own, and run npm ci and this command there\.$/,
    ],
    [
      "a data directory that cannot be written",
      async (project: string) => await writeFile(join(project, "data"), "in the way of the directory"),
      /^The data cannot be kept in \S+ \(\w+\): choose a directory that you may write with --persist-to\.$/,
    ],
  ] as const)("says in one sentence what to do about %s", async ([, spoil, says], { expect }) => {
    const project = await checkout();
    await spoil(project);
    const { code, out, errors } = await startAndEnd(["--port", "0", "--persist-to", join(project, "data")], project);
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(errors.trimEnd()).toMatch(says);
    expect(errors.trimEnd()).not.toContain("\n");
  });
});

describe("localBindings", () => {
  it("leaves out an app with the demo app's id, and one whose id another has", ({ expect }) => {
    const { apps, problems } = localBindings({
      APP_A: { appId: "demo" },
      APP_B: { appId: "b" },
      APP_C: { appId: "b" },
      APP_D: {},
    });
    expect(apps.map(({ name }) => name)).toEqual(["APP_B"]);
    expect(problems).toEqual([
      expect.stringContaining("APP_C.appId"),
      expect.stringContaining("APP_D.appId"),
      expect.stringContaining("APP_A.appId"),
    ]);
  });

  it("gives an app that takes JWTs by a shared secret one to sign with", ({ expect }) => {
    const jwt = { algorithms: ["HS256"], issuer: "https://login.example", sessionClaim: "sid", maximumSessionDays: 30 };
    const { apps, problems } = localBindings({ APP_A: { appId: "a", identity: "jwt", jwt } });
    expect({ apps, problems }).toMatchObject({ apps: [{ appId: "a" }], problems: [] });
  });
});
