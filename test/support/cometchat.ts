// The fake CometChat as tests inside workerd reach it, and clients whose users log in there.
import { env } from "cloudflare:workers";
import { ConfigError, loadConfig } from "../../src/config/apps.ts";
import { sha256, tokenHash } from "../../src/durable/names.ts";
import { serverCall, TestSession, uniqueUid } from "./client.ts";
import type { Control, FakeCometChat } from "./fake-cometchat.ts";
import { userObject } from "./faults.ts";
import { COMETCHAT_CONTROL_HOST } from "./outbound.ts";

type Remote = {
  [M in Control]: (...args: Parameters<FakeCometChat[M]>) => Promise<ReturnType<FakeCometChat[M]>>;
};

/** The fake of this test run. Other test files talk to it at the same time: name your own auth tokens. */
export const cometchat = new Proxy({} as Remote, {
  get(_, method) {
    return async (...args: unknown[]) => {
      const response = await fetch(`https://${COMETCHAT_CONTROL_HOST}/${String(method)}`, {
        method: "POST",
        body: JSON.stringify(args),
      });
      if (!response.ok) throw new Error(await response.text());
      const { result } = (await response.json()) as { result: unknown };
      return result;
    };
  },
});

/** A user with an auth token of CometChat's; the Worker has not seen it yet. */
export async function chatSession({ app = "chat", uid = uniqueUid() } = {}): Promise<TestSession> {
  return new TestSession(app, uid, await cometchat.issue(app, uid));
}

/** How often the Worker asked CometChat whose the auth token is. */
export function verifications(session: TestSession): Promise<number> {
  return cometchat.count({ method: "GET", path: "/v3.0/me", authToken: session.authToken });
}

/** Puts push tokens into a session that this Worker's isolate has never seen, as another one left them. */
export async function heldElsewhere(session: TestSession, ...tokens: string[]): Promise<void> {
  const user = await userObject(session.app, session.uid);
  const app = loadConfig(env).apps.get(session.app);
  if (app === undefined || app instanceof ConfigError) throw new Error(`there is no app ${session.app}`);
  const kinds = ["fcm", "apns", "voip"] as const;
  const pushTokens = tokens.map(async (token, i) => {
    const kind = kinds[i] ?? "fcm";
    return {
      kind,
      token,
      hash: await tokenHash(kind, token),
      platform: "android",
      labels: {},
    } as const;
  });
  const outcome = await user.register({
    uid: session.uid,
    session: { id: await sha256(session.authToken), issuedAt: null, usableUntil: null },
    tokens: await Promise.all(pushTokens),
    rules: app.rules,
  });
  if (!outcome.ok) throw new Error(outcome.reason);
}

/** What a sender would push to. */
export async function pushTokens(app: string, uid: string): Promise<string[]> {
  const { body } = await serverCall("GET", `/v3/users/${uid}/push_tokens`, {}, app);
  return body.data.pushTokens.map(({ token }: { token: string }) => token).sort();
}
