// FCM HTTP v1: https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages/send
import { importPKCS8, SignJWT } from "jose";
import type { Delivery, Push, Target } from "./push.ts";

export interface FcmConfig {
  FCM_ENDPOINT: string;
  FCM_PROJECT_ID: string;
  FCM_CLIENT_EMAIL: string;
  FCM_PRIVATE_KEY: string;
  GOOGLE_TOKEN_ENDPOINT: string;
}

/** Google's access tokens live for an hour; one is used until a minute before its end. */
let cached: { accessToken: string; usableUntil: number; project: string } | undefined;

export async function sendFcm(config: FcmConfig, target: Target, push: Push): Promise<Delivery> {
  const url = `${config.FCM_ENDPOINT}/v1/projects/${config.FCM_PROJECT_ID}/messages:send`;
  const response = await fetch(url, {
    method: "POST",
    headers: { authorization: `Bearer ${await accessToken(config)}`, "content-type": "application/json" },
    body: JSON.stringify({
      message: {
        // FCM answers NotRegistered to a legacy token in `fid`: the registry tells which it is.
        [target.target ?? "token"]: target.token,
        notification: { title: push.title, body: push.body },
        data: { ...push.data, uid: target.uid, type: push.type },
        android: { priority: "HIGH" },
      },
    }),
  });
  if (response.ok) return { delivered: true };
  const error: unknown = await response.json().catch(() => null);
  // Whole, for an iPhone that is gone: its code is INVALID_ARGUMENT, and APNs' own word stands beside it.
  return { delivered: false, code: errorCode(error), ...(error === null ? {} : { error: Object(error) }) };
}

/** `details[].errorCode` of type FcmError; without one, the status of the call. */
function errorCode(body: unknown): string {
  const { error } = (body ?? {}) as {
    error?: { status?: string; details?: { "@type"?: string; errorCode?: string }[] };
  };
  const detail = error?.details?.find((entry) => entry["@type"]?.endsWith("google.firebase.fcm.v1.FcmError"));
  return detail?.errorCode ?? error?.status ?? "UNSPECIFIED_ERROR";
}

/** OAuth 2.0 for a service account: https://developers.google.com/identity/protocols/oauth2/service-account */
async function accessToken(config: FcmConfig): Promise<string> {
  if (cached !== undefined && cached.project === config.FCM_PROJECT_ID && cached.usableUntil > Date.now()) {
    return cached.accessToken;
  }
  const assertion = await new SignJWT({ scope: "https://www.googleapis.com/auth/firebase.messaging" })
    .setProtectedHeader({ alg: "RS256", typ: "JWT" })
    .setIssuer(config.FCM_CLIENT_EMAIL)
    .setAudience(config.GOOGLE_TOKEN_ENDPOINT)
    .setIssuedAt()
    .setExpirationTime("1h")
    .sign(await importPKCS8(config.FCM_PRIVATE_KEY, "RS256"));
  const response = await fetch(config.GOOGLE_TOKEN_ENDPOINT, {
    method: "POST",
    body: new URLSearchParams({ grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer", assertion }),
  });
  if (!response.ok) throw new Error(`Google refused the service account: ${response.status}`);
  const token = (await response.json()) as { access_token: string; expires_in: number };
  cached = {
    accessToken: token.access_token,
    usableUntil: Date.now() + (token.expires_in - 60) * 1000,
    project: config.FCM_PROJECT_ID,
  };
  return cached.accessToken;
}
