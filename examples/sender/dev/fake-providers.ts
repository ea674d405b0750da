// FCM HTTP v1, Google's token endpoint and APNs, as their documentation describes their replies. What a token's name begins
// with decides what becomes of a push to it.
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { exportPKCS8, generateKeyPair, jwtVerify } from "jose";

export interface ReceivedPush {
  token: string;
  /** The field of FCM's message that held it. */
  target?: "fid" | "token";
  topic?: string;
  /** Of APNs: which of its hosts took it. */
  environment?: "production" | "sandbox";
  body: Record<string, unknown>;
}

export interface FakeProviders {
  url: string;
  /** What was delivered, in order. */
  delivered: ReceivedPush[];
  /** The credentials that the fakes accept, as a sender's configuration. */
  config: Record<string, string>;
  stop(): Promise<void>;
}

const ACCESS_TOKEN = "ya29.fake-access-token";
const FCM_ERRORS: Record<string, [status: number, name: string, errorCode: string]> = {
  unregistered: [404, "NOT_FOUND", "UNREGISTERED"],
  malformed: [400, "INVALID_ARGUMENT", "INVALID_ARGUMENT"],
  foreign: [403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH"],
  overloaded: [503, "UNAVAILABLE", "UNAVAILABLE"],
  /** An iPhone that is gone, as FCM tells it: APNs' word stands beside its own. */
  "iphone-gone": [400, "INVALID_ARGUMENT", "INVALID_ARGUMENT"],
};
/** A FID, alone or at the head of a legacy token (firebase-android-sdk#8087). */
const INSTALLATION = /^([c-f][\w-]{21})(:.+)?$/;
const APNS_ERRORS: Record<string, [status: number, reason: string]> = {
  unregistered: [410, "Unregistered"],
  malformed: [400, "BadDeviceToken"],
  topic: [400, "DeviceTokenNotForTopic"],
  overloaded: [503, "ServiceUnavailable"],
};

/** `unregisteredAt`: the time (epoch ms) that APNs gives with a 410. */
export async function startFakeProviders({ unregisteredAt }: { unregisteredAt: number }): Promise<FakeProviders> {
  const google = await generateKeyPair("RS256", { extractable: true });
  const apple = await generateKeyPair("ES256", { extractable: true });
  const delivered: ReceivedPush[] = [];
  /** FIDs to which a push was delivered: from then on their legacy tokens are dead (pigeon#304). */
  const migrated = new Set<string>();

  /** What FCM says of a message's target, by documentation and by what was seen of it; `null`: it can be delivered. */
  function fcmError({ fid, token }: { fid?: unknown; token?: unknown }): keyof typeof FCM_ERRORS | null {
    if ((fid === undefined) === (token === undefined)) return "malformed";
    const [, installation, rest] = INSTALLATION.exec(String(fid ?? token)) ?? [];
    // firebase-ios-sdk#16429: a legacy token in `fid`. The other way round works (firebase-android-sdk#8316).
    if (fid !== undefined && (installation === undefined || rest !== undefined)) return "unregistered";
    if (installation !== undefined && rest !== undefined && migrated.has(installation)) return "unregistered";
    if (installation !== undefined && rest === undefined) migrated.add(installation);
    const name = String(token).split(":")[0] ?? "";
    return Object.hasOwn(FCM_ERRORS, name) ? name : null;
  }

  async function answer(request: IncomingMessage, body: string): Promise<[status: number, reply: object | null]> {
    const authorization = request.headers.authorization ?? "";
    if (request.url === "/token") {
      const assertion = new URLSearchParams(body).get("assertion") ?? "";
      const { payload } = await jwtVerify(assertion, google.publicKey, { audience: `${url}/token` });
      if (payload.scope !== "https://www.googleapis.com/auth/firebase.messaging")
        return [400, { error: "invalid_scope" }];
      return [200, { access_token: ACCESS_TOKEN, expires_in: 3599, token_type: "Bearer" }];
    }
    if (request.url === "/v1/projects/fake-project/messages:send") {
      if (authorization !== `Bearer ${ACCESS_TOKEN}`) return [401, { error: { code: 401, status: "UNAUTHENTICATED" } }];
      const { message } = JSON.parse(body);
      const name = fcmError(message);
      const error = name === null ? undefined : FCM_ERRORS[name];
      if (error !== undefined) {
        const [code, status, errorCode] = error;
        const type = "type.googleapis.com/google.firebase.fcm.v1";
        const details: object[] = [{ "@type": `${type}.FcmError`, errorCode }];
        if (name === "iphone-gone") {
          details.push({ "@type": `${type}.ApnsError`, statusCode: 410, reason: "Unregistered" });
        }
        return [code, { error: { code, message: "as documented", status, details } }];
      }
      const target = message.fid === undefined ? "token" : "fid";
      delivered.push({ token: message[target], target, body: message });
      return [200, { name: `projects/fake-project/messages/${delivered.length}` }];
    }
    const [, host, path] = request.url?.match(/^(\/sandbox)?\/3\/device\/(.+)$/) ?? [];
    const token = decodeURIComponent(path ?? "");
    const environment = host === undefined ? "production" : "sandbox";
    if (token === "") return [404, { reason: "BadPath" }];
    const { protectedHeader, payload } = await jwtVerify(authorization.replace(/^bearer /, ""), apple.publicKey);
    if (protectedHeader.kid !== "FAKEKEYID1" || payload.iss !== "FAKETEAM12")
      return [403, { reason: "InvalidProviderToken" }];
    const [name = "", state = ""] = token.split(":")[0]?.split("-") ?? [];
    // A token is known to the host of its build alone.
    const isForeign = (name === "sandbox" || name === "production") && name !== environment;
    const error = isForeign ? APNS_ERRORS.malformed : APNS_ERRORS[state === "" ? name : state];
    if (error !== undefined) {
      const [status, reason] = error;
      return [status, status === 410 ? { reason, timestamp: unregisteredAt } : { reason }];
    }
    delivered.push({ token, topic: String(request.headers["apns-topic"]), environment, body: JSON.parse(body) });
    return [200, null];
  }

  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    const [status, reply] = await answer(request, body).catch((): [number, object] => [
      403,
      { reason: "InvalidProviderToken" },
    ]);
    response.writeHead(status, { "content-type": "application/json" });
    response.end(reply === null ? "" : JSON.stringify(reply));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the fakes do not listen");
  const url = `http://127.0.0.1:${address.port}`;
  return {
    url,
    delivered,
    config: {
      FCM_ENDPOINT: url,
      FCM_PROJECT_ID: "fake-project",
      FCM_CLIENT_EMAIL: "sender@fake-project.iam.gserviceaccount.com",
      FCM_PRIVATE_KEY: await exportPKCS8(google.privateKey),
      GOOGLE_TOKEN_ENDPOINT: `${url}/token`,
      APNS_ENDPOINT: url,
      APNS_SANDBOX_ENDPOINT: `${url}/sandbox`,
      APNS_TEAM_ID: "FAKETEAM12",
      APNS_KEY_ID: "FAKEKEYID1",
      APNS_PRIVATE_KEY: await exportPKCS8(apple.privateKey),
      APNS_TOPIC: "com.example.app",
    },
    stop: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}
