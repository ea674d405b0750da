// `npm run demo-data`: one user per verdict of `npm run explain`, made by the calls that apps and back ends make.
import { isDeepStrictEqual } from "node:util";
import { VERDICTS } from "../src/domain/explain.ts";
import { DEMO_APP, DEMO_KEYS } from "./demo.ts";
import { CommandError, defineCommand, main } from "./lib/command.ts";
import { text, UsageError } from "./lib/options.ts";
import { type Registry, registryOf } from "./lib/registry.ts";

/** These take days: a provider's word that a token is dead prunes it a week after its last launch at the earliest. */
const NOT_HERE = ["pruned", "expired"];

/** A login of a user on a device. */
interface Device {
  call(method: string, path: string, body?: unknown): Promise<unknown>;
}

interface Making {
  registry: Registry;
  logIn(uid: string): Promise<Device>;
}

/** How a user comes to its verdict; `uid` holds nothing yet. */
const RECIPES: Readonly<Record<string, (making: Making, uid: string) => Promise<void>>> = {
  async ok({ logIn }, uid) {
    await register(await logIn(uid), { fcmToken: token(uid), device: { name: "Olga's phone", model: "Pixel 10" } });
    const mac = { name: "Olga's iPad", model: "iPad16,3", environment: "production", bundleId: "com.example.chat" };
    await register(await logIn(uid), {
      apnsToken: token(`${uid}-ipad`),
      voipToken: token(`${uid}-calls`),
      device: mac,
    });
  },
  async all_suspect({ registry, logIn }, uid) {
    await register(await logIn(uid), { fcmToken: token(uid), device: { name: "Sam's phone" } });
    const items = [{ token: token(uid), kind: "fcm", code: "SENDER_ID_MISMATCH", at: Date.now() }];
    await registry.call("POST", "/v3/push_tokens/feedback", { items });
  },
  async muted({ logIn }, uid) {
    const phone = await logIn(uid);
    await register(phone, { fcmToken: token(uid), device: { name: "Mia's phone" } });
    const { devices } = (await phone.call("GET", "/v3.0/me/devices")) as { devices: { id: string }[] };
    await phone.call("PATCH", `/v3.0/me/devices/${encodeURIComponent(devices[0]?.id ?? "")}`, { muted: true });
  },
  async taken({ logIn }, uid) {
    await register(await logIn(uid), { fcmToken: token(uid), device: { name: "The family's phone" } });
    await register(await logIn(`${uid}-by`), { fcmToken: token(uid), device: { name: "The family's phone" } });
  },
  async evicted({ logIn }, uid) {
    // Tokens of 4 KiB: 32 of them fill a user.
    const big = (name: string) => token(name).padEnd(4096, "x");
    let last = await logIn(uid);
    for (let i = 0; i < 11; i += 1) {
      last = i === 0 ? last : await logIn(uid);
      const name = `${uid}-${i}`;
      await register(last, { fcmToken: big(name), apnsToken: big(`${name}a`), voipToken: big(`${name}v`) });
    }
    await last.call("DELETE", "/v2/tokens", { all: true });
  },
  async ended({ registry, logIn }, uid) {
    await register(await logIn(uid), { fcmToken: token(uid) });
    await registry.call("DELETE", `/v3/users/${uid}/sessions`);
  },
  async logged_out({ logIn }, uid) {
    const phone = await logIn(uid);
    await register(phone, { fcmToken: token(uid) });
    await phone.call("DELETE", "/v3.0/me");
  },
  async removed({ logIn }, uid) {
    const phone = await logIn(uid);
    await register(phone, { fcmToken: token(uid) });
    await phone.call("DELETE", "/v2/tokens", { all: false });
  },
  async nothing_known() {},
};

export interface Made {
  uid: string;
  verdict: string;
}

/** Makes the users anew; answers who they are. Throws a {@link CommandError} if one has another verdict than it is to have. */
export async function makeUsers(values: { url: string; "app-id": string; "api-key": string }): Promise<Made[]> {
  const registry = registryOf(values);
  const making = { registry, logIn: (uid: string) => logIn(values, uid) };
  const wanted = Object.keys(RECIPES).map((verdict) => ({ uid: `demo-${verdict}`, verdict }));
  for (const [verdict, recipe] of Object.entries(RECIPES)) {
    const uid = `demo-${verdict}`;
    for (const each of [uid, `${uid}-by`]) await registry.call("DELETE", `/v3/users/${each}`);
    await recipe(making, uid);
  }
  const made = await Promise.all(
    wanted.map(async ({ uid }) => {
      const { verdict } = (await registry.call("GET", `/v3/users/${uid}/explain`)) as { verdict: { code: string } };
      return { uid, verdict: verdict.code };
    }),
  );
  if (!isDeepStrictEqual(made, wanted)) throw new CommandError(`the verdicts are ${JSON.stringify(made)}`);
  return made;
}

async function logIn(values: { url: string; "app-id": string; "api-key": string }, uid: string): Promise<Device> {
  const minted = await registryOf(values).call("POST", `/v3/users/${uid}/auth_tokens`, {});
  return registryOf(values, { authToken: (minted as { authToken: string }).authToken, sdk: "android@4.0.10" });
}

async function register(device: Device, tokens: object): Promise<void> {
  await device.call("POST", "/v2/tokens", tokens);
}

function token(name: string): string {
  return `demo-token-of-${name}`;
}

export const command = defineCommand({
  name: "demo-data",
  summary:
    "Makes users for every verdict of npm run explain: demo-ok, demo-muted, demo-taken and so on. Needs a running npm start. " +
    "Users of these names are erased first.",
  options: {
    url: text({ help: "The registry on this machine.", placeholder: "URL", default: "http://localhost:8787" }),
    "app-id": text({ help: "The app's id; its identity must be issued.", placeholder: "ID", default: DEMO_APP.appId }),
    "api-key": text({
      help: "An API key of the app with the scope fullAccess.",
      placeholder: "KEY",
      default: DEMO_KEYS.fullAccess,
    }),
  },
  examples: ["", "--url http://localhost:9000"],
  notes: `Not made here, because they take days: ${NOT_HERE.join(", ")}. All verdicts: ${VERDICTS.join(", ")}.`,
  hasJson: true,
  async run(values, { output }) {
    const { hostname } = URL.canParse(values.url) ? new URL(values.url) : { hostname: "" };
    if (!["localhost", "127.0.0.1", "[::1]"].includes(hostname)) {
      throw new UsageError("--url must be on this machine: users are erased");
    }
    const made = await makeUsers(values);
    output.result(made, () => {
      for (const { uid, verdict } of made) output.say(`${uid.padEnd(20)} ${verdict}`);
      output.say(`Not made, because they take days: ${NOT_HERE.join(", ")}.`);
    });
    return 0;
  },
});

if (import.meta.main) await main(command);
