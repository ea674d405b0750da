// `npm run fuzz`: sends generated requests at workerd, and looks at every reply and every line of the log.
import * as fc from "fast-check";
import { inStep } from "./crash/in-step.ts";
import { hostileRequests } from "./fuzz/hostile.ts";
import type { Material } from "./fuzz/material.ts";
import { defineCommand, main } from "./lib/command.ts";
import { type Answer, type Ask, Connections, LoadClient, type Login, loadApp } from "./lib/load.ts";
import { number } from "./lib/options.ts";
import { type Progress, rounded } from "./lib/output.ts";
import { build, type Server, serve } from "./lib/workerd.ts";

/** Requests that are under way at once; what all of them together changed is looked at when all are answered. */
const GROUP = 25;
const WITNESSES = 3;
/** Users who are ended and erased, and log out, while the witnesses stay. */
const VICTIMS = 30;
/** Requests that share witnesses; each batch has fresh ones, for some requests end sessions. */
const BATCH = 2000;

export interface FuzzOptions {
  requests: number;
  seed: number;
  bundle: string;
  progress?: Progress;
}

export interface FuzzResult {
  requests: number;
  /** Replies by status. */
  statuses: Record<string, number>;
  /** Requests that never reached the Worker: workerd's HTTP or Node's refused them. */
  unsent: number;
  /** Groups of requests that were refused or only read, around which everything held was compared. */
  groupsCompared: number;
  logLines: number;
  /** Users of whom the directory and their own object were compared in the end. */
  usersCompared: number;
  /** What should not have happened, with the request. */
  findings: string[];
}

/** Runs the fuzzer on a server of its own. */
export async function fuzz(options: FuzzOptions): Promise<FuzzResult> {
  const app = loadApp();
  const other = loadApp({ appId: "other" });
  const server = await serve({
    bundle: options.bundle,
    bindings: {
      ...app.bindings,
      APP_OTHER: other.bindings.APP_LOAD ?? {},
      SECRETS_OTHER: other.bindings.SECRETS_LOAD ?? "",
    },
  });
  const connections = new Connections(server.port, { maxSockets: GROUP });
  const result: FuzzResult = {
    requests: 0,
    statuses: {},
    unsent: 0,
    groupsCompared: 0,
    logLines: 0,
    usersCompared: 0,
    findings: [],
  };
  try {
    const client = new LoadClient(app, connections);
    const secrets = secretsOf(app.bindings, app.keys, other.keys);
    for (let batch = 0; result.requests + result.unsent < options.requests; batch += 1) {
      const material = await newMaterial(client, app, new LoadClient({ ...other, appId: "other" }, connections), batch);
      const told = [
        ...secrets,
        ...material.pushTokens,
        ...material.authTokens,
        ...material.spareAuthTokens,
        ...material.deadAuthTokens,
        ...material.tickets,
      ];
      const size = Math.min(BATCH, options.requests - result.requests - result.unsent);
      const asks = fc.sample(hostileRequests(material), { numRuns: size, seed: options.seed + batch });
      for (let i = 0; i < asks.length; i += GROUP) {
        await sendGroup(client, asks.slice(i, i + GROUP), material, told, result);
        options.progress?.at(result.requests + result.unsent, `${result.findings.length} findings`);
      }
      inspectLogs(server, [...told, ...material.uids, ...material.victims], result);
      if (result.findings.length > 50) break;
    }
  } finally {
    options.progress?.end();
    connections.close();
    await server.stop();
  }
  const { users, problems } = await inStep(server.data, { isAtRest: true });
  result.usersCompared = users;
  result.findings.push(...problems.map((problem) => `the directory is not in step: ${problem}`));
  return result;
}

function secretsOf(bindings: Record<string, unknown>, ...keys: Record<string, string>[]): string[] {
  const { signingKeys } = JSON.parse(String(bindings.SECRETS_LOAD)) as { signingKeys: { secret: string }[] };
  return [...signingKeys.map(({ secret }) => secret), ...keys.flatMap((each) => Object.values(each))];
}

/** Users with a registration each, and their credentials. */
async function newMaterial(
  client: LoadClient,
  app: ReturnType<typeof loadApp>,
  other: LoadClient,
  batch: number,
): Promise<Material> {
  const uids = Array.from({ length: WITNESSES }, (_, i) => `witness-${batch}-${i}-é`);
  const pushTokens: string[] = [];
  const logins: Login[] = [];
  const dead: string[] = [];
  const tickets: string[] = [];
  const victims = Array.from({ length: VICTIMS }, (_, i) => `victim-${batch}-${i}`);
  for (const uid of uids) {
    const login = await client.login(uid);
    const token = `SECRET-TOKEN-${batch}-${pushTokens.length}`;
    const { text } = await client.asClient(login, "POST", "/v2/tokens", { fcmToken: token });
    tickets.push(JSON.parse(text).data.unregisterTicket);
    pushTokens.push(token);
    logins.push(login, await client.login(uid));
    const gone = await client.login(uid);
    await client.asClient(gone, "DELETE", "/v3.0/me");
    dead.push(gone.authToken, (await other.login(uid)).authToken);
  }
  return {
    appId: app.appId,
    keys: app.keys,
    uids,
    victims,
    spareAuthTokens: await Promise.all(victims.map(async (uid) => (await client.login(uid)).authToken)),
    tickets,
    pushTokens,
    authTokens: logins.map(({ authToken }) => authToken),
    deadAuthTokens: dead,
  };
}

/** Sends a group, and what of it was refused a second time if the rest changed something: then nothing may change. */
async function sendGroup(client: LoadClient, asks: Ask[], material: Material, told: string[], result: FuzzResult) {
  const before = await stateOf(client, material);
  const answers = await Promise.all(asks.map((ask) => send(client, ask, result)));
  for (const [i, answer] of answers.entries()) {
    const ask = asks[i];
    if (answer === null || ask === undefined) continue;
    result.requests += 1;
    result.statuses[answer.status] = (result.statuses[answer.status] ?? 0) + 1;
    for (const problem of problemsOf(ask, answer, told)) result.findings.push(`${problem}: ${describe(ask, answer)}`);
  }
  const mayChange = asks.map((ask, i) => (answers[i]?.status ?? 0) < 300 && !SAFE_METHODS.has(ask.method));
  if (!mayChange.includes(true)) {
    compare(before, await stateOf(client, material), asks, result);
    return;
  }
  const refused = asks.filter((_, i) => mayChange[i] === false);
  const between = await stateOf(client, material);
  const again = await Promise.all(refused.map((ask) => send(client, ask, result)));
  // A request may be good now that the rest of its group was served: a removal that lets another one find nothing.
  if (again.some((answer, i) => (answer?.status ?? 0) < 300 && !SAFE_METHODS.has(refused[i]?.method ?? ""))) return;
  compare(between, await stateOf(client, material), refused, result);
}

const SAFE_METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

function compare(before: string, after: string, asks: Ask[], result: FuzzResult): void {
  result.groupsCompared += 1;
  if (after === before) return;
  const all = asks.map(({ method, path }) => `${method} ${path}`).join(" | ");
  result.findings.push(`refused requests changed something, from ${before} to ${after}: ${all}`);
}

/** Everything that is held about the witnesses, and what senders are told of them. */
async function stateOf(client: LoadClient, { uids }: Material): Promise<string> {
  const exports = uids.map((uid) => client.asServer("GET", `/v3/users/${encodeURIComponent(uid)}/export`));
  const lookup = client.asServer("POST", "/v3/push_tokens/lookup", { uids, includeMuted: true });
  return (await Promise.all([...exports, lookup])).map(({ text }) => text).join("\n");
}

async function send(client: LoadClient, ask: Ask, result: FuzzResult): Promise<Answer | null> {
  try {
    return await client.ask(ask);
  } catch {
    result.unsent += 1;
    return null;
  }
}

const CODES = /^(AUTH_)?ERR_[A-Z_]+$/;
/** A stack, or the place of a line of code. */
const STACK = /\bat \S+ \(|\.[jt]s:\d+/;
/** What names an object: the hash of a user or of a token in full, or an object's id. */
const OBJECT_NAME = /(?<![A-Za-z0-9_.-])[A-Za-z0-9_-]{43}(?![A-Za-z0-9_.-])|\b[0-9a-f]{64}\b/;

function problemsOf(ask: Ask, { status, headers, text }: Answer, told: string[]): string[] {
  // workerd itself refuses what is no HTTP; such a reply has none of our headers, and no request reached the Worker.
  if (headers["x-request-id"] === undefined) return status >= 500 ? ["a 5xx"] : [];
  const problems: string[] = [];
  if (status >= 500) problems.push("a 5xx");
  if (headers["access-control-allow-origin"] !== "*") problems.push("no CORS header");
  if (headers["x-content-type-options"] !== "nosniff") problems.push("sniffable");
  if (!/no-store|no-cache/.test(headers["cache-control"] ?? "") && !ask.path.startsWith("/openapi"))
    problems.push("cacheable");
  if (STACK.test(text)) problems.push("a stack");
  const bodiless = ask.method === "HEAD" || status === 204 || status === 304;
  if (!bodiless) problems.push(...envelopeProblems(status, text));
  if (status >= 400) {
    if (told.some((secret) => text.includes(secret))) problems.push("a secret in a refusal");
    if (OBJECT_NAME.test(text)) problems.push("an object's name in a refusal");
  }
  return problems;
}

function envelopeProblems(status: number, text: string): string[] {
  let body: { data?: unknown; error?: { code?: unknown; message?: unknown; details?: unknown }; openapi?: unknown };
  try {
    body = JSON.parse(text);
  } catch {
    return ["not JSON"];
  }
  if (status === 200) return body.data !== undefined || body.openapi !== undefined ? [] : ["no data"];
  const { code, message, details } = body.error ?? {};
  const wellFormed =
    typeof code === "string" &&
    CODES.test(code) &&
    typeof message === "string" &&
    isObject(details) &&
    body.data === undefined;
  return wellFormed ? [] : ["no envelope"];
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function inspectLogs(server: Server, told: string[], result: FuzzResult): void {
  for (const line of server.logs.splice(0)) {
    result.logLines += 1;
    if (told.some((secret) => line.includes(secret))) result.findings.push(`a secret in the log: ${line}`);
    if (OBJECT_NAME.test(line)) result.findings.push(`an object's name in the log: ${line}`);
    if (STACK.test(line) || !line.startsWith("{")) result.findings.push(`an unstructured line in the log: ${line}`);
  }
}

function describe(ask: Ask, answer: Answer): string {
  const body = ask.body === undefined ? "" : Buffer.from(ask.body).toString().slice(0, 200);
  return `${ask.method} ${ask.path.slice(0, 200)} ${JSON.stringify(ask.headers).slice(0, 300)} ${body} → ${answer.status} ${answer.text.slice(0, 300)}`;
}

const FINDINGS_SHOWN = 20;

export const command = defineCommand({
  name: "fuzz",
  summary:
    "Sends generated requests at a server: every call of the API, made wrong in up to three ways. Looks at every reply, at what " +
    "is held, and at every line of the log.",
  options: {
    requests: number({ help: "How many.", min: 1, default: 100_000 }),
    seed: number({
      help: "Which: the same seed gives the same ones.",
      min: 0,
      default: null,
      defaultSays: "by the clock",
    }),
  },
  examples: ["--requests 20000 --seed 7"],
  notes:
    "Exit code 1: a reply was a 5xx or had no envelope, a refused request changed something, a reply or the log told a secret, or " +
    "the directory was not in step with the users' objects in the end.",
  hasJson: true,
  async run({ requests, seed: given }, { output }) {
    const seed = given ?? Date.now() % 1_000_000;
    const bundle = await output.during("building the Worker", build());
    const result = await fuzz({ requests, seed, bundle, progress: output.progress("requests", requests) });
    output.result({ seed, ...result }, () => {
      const statuses = Object.entries(result.statuses).map(([status, count]) => `${status}: ${rounded(count)}`);
      output.say(
        `seed ${seed}: ${rounded(result.requests)} requests, ${rounded(result.unsent)} that HTTP itself refused`,
      );
      output.say(`replies by status: ${statuses.join(", ")}`);
      output.say(
        `compared around ${rounded(result.groupsCompared)} groups, and for ${rounded(result.usersCompared)} users in the directory; ` +
          `${rounded(result.logLines)} lines of the log`,
      );
      output.say(`${result.findings.length} findings`);
      for (const finding of result.findings.slice(0, FINDINGS_SHOWN)) output.say(finding);
    });
    return result.findings.length === 0 ? 0 : 1;
  },
});

if (import.meta.main) await main(command);
