// Which installation a push token stands for. Whatever asks "is this the same token?" asks `identityOf`; senders ask
// `targetOf`. Pure: no I/O.
import { KINDS, type Kind } from "./kinds.ts";

/** Of the whole text: APNs and PushKit tokens are bytes, which SDKs print in either case. */
const HEXADECIMAL = /^[0-9a-f]+$/i;

/**
 * A Firebase Installation ID: 22 characters of base64url whose first four bits are 0111, hence `c` to `f`; then, in a
 * legacy registration token, a colon and the rest. Google's engineers state it in firebase-android-sdk#8087 and
 * firebase-admin-java#1211. The format is not promised: what does not look so is its own installation.
 */
const INSTALLATION = /^([c-f][A-Za-z0-9_-]{21})(:.+)?$/s;

export interface IdentityRules {
  /** Whether a FID and the legacy tokens that begin with it are one installation: the app's setting `fcmInstallations`. */
  fcmInstallations: boolean;
}

/** The form in which a token is stored and answered: hexadecimal digits in lower case, any other text as it is. */
export function storedForm(kind: Kind, token: string): string {
  return KINDS[kind].identity === "hexadecimal" && HEXADECIMAL.test(token) ? token.toLowerCase() : token;
}

/**
 * The installation that a token of `kind` stands for: two tokens of one kind are the same installation if this is the
 * same text. It is a token itself, and its own identity.
 */
export function identityOf(kind: Kind, token: string, { fcmInstallations }: IdentityRules): string {
  switch (KINDS[kind].identity) {
    case "hexadecimal":
      return storedForm(kind, token);
    case "fcm":
      return (fcmInstallations ? INSTALLATION.exec(token)?.[1] : undefined) ?? token;
  }
}

/**
 * The field of an FCM message in which the token is sent: FCM answers a legacy token in `fid` as NotRegistered
 * (firebase-ios-sdk#16429). `null` for kinds that FCM does not deliver.
 */
export function targetOf(kind: Kind, token: string): "fid" | "token" | null {
  if (KINDS[kind].provider !== "fcm") return null;
  const found = INSTALLATION.exec(token);
  return found !== null && found[2] === undefined ? "fid" : "token";
}
