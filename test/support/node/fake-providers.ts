// FCM HTTP v1, Google's token endpoint and APNs, as their documentation describes their replies. What a token's name begins
// with decides what becomes of a push to it.
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { exportPKCS8, generateKeyPair, jwtVerify } from "jose";

export interface ReceivedPush {
  token: string;
  topic?: string;
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
};
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
      const error = FCM_ERRORS[String(message.token).split(":")[0] ?? ""];
      if (error !== undefined) {
        const [code, status, errorCode] = error;
        const detail = { "@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", errorCode };
        return [code, { error: { code, message: "as documented", status, details: [detail] } }];
      }
      delivered.push({ token: message.token, body: message });
      return [200, { name: `projects/fake-project/messages/${delivered.length}` }];
    }
    const token = decodeURIComponent(request.url?.match(/^\/3\/device\/(.+)$/)?.[1] ?? "");
    if (token === "") return [404, { reason: "BadPath" }];
    const { protectedHeader, payload } = await jwtVerify(authorization.replace(/^bearer /, ""), apple.publicKey);
    if (protectedHeader.kid !== "FAKEKEYID1" || payload.iss !== "FAKETEAM12")
      return [403, { reason: "InvalidProviderToken" }];
    const error = APNS_ERRORS[token.split(":")[0] ?? ""];
    if (error !== undefined) {
      const [status, reason] = error;
      return [status, status === 410 ? { reason, timestamp: unregisteredAt } : { reason }];
    }
    delivered.push({ token, topic: String(request.headers["apns-topic"]), body: JSON.parse(body) });
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
