// What may stand in the var of an app and in its secret, field by field; and an app as the rest of the Worker sees it.
// What fields must be to each other: checks.ts.
import * as z from "zod/mini";
import { IDENTITY_NAMES, type Identity } from "../domain/identity.ts";
import { isNothing } from "../domain/nothing.ts";
import { normalizedOrigin } from "../domain/origins.ts";
import { POLICIES, type Rules } from "../domain/registration.ts";
import { UID_CASES } from "../domain/uids.ts";
import {
  AUTH_TOKEN_SECONDS_MIN,
  CLOCK_TOLERANCE_MS,
  DAY_MS,
  DIRECTORY_OBJECTS,
  DIRECTORY_OBJECTS_MAX,
  JWT_SECRETS_MAX,
  SETTING_DAYS_MAX,
} from "../limits.ts";
import {
  atLeast,
  atMost,
  locationHint,
  matching,
  number,
  oneOf,
  textOr,
  whole,
  wholeUpTo,
  withDefault,
  yesOrNo,
} from "./values.ts";

const DAY_SECONDS = DAY_MS / 1000;

const days = number("must be a number of days above 0").check(
  z.refine((value) => value > 0, "must be a number of days above 0"),
  atMost(SETTING_DAYS_MAX, `must not be above ${SETTING_DAYS_MAX}`),
);
const wholeNumber = (what: string) => whole(`must be ${what}`).check(atLeast(0, `must be ${what}`));
export const choice = <const T extends readonly string[]>(values: T) =>
  oneOf(values, `must be "${values.join('", "').replace(/, (?=[^,]*$)/, " or ")}"`);
export const text = (pattern: RegExp, what: string) =>
  z.string(`must be ${what}`).check(matching(pattern, `must be ${what}`));

/** Of an app's own JWTs. `HS256` keys are secrets; the keys of the others are public, in a key set. */
const JWT_ALGORITHMS = ["HS256", "RS256", "ES256", "EdDSA"] as const;

/** A claim by its name; a dot leads into an object, unless the token has a claim of that very name. */
const claimName = text(/^[^\s.]+(\.[^\s.]+)*$|^https?:\/\/\S+$/, "the name of a claim, such as sid or user.id");
export const nonEmptyText = text(/^\S(.*\S)?$/, "text");

/** `[vars.APP_X.jwt]`: what an auth token of the app's own login looks like. docs/own-login.md explains the fields. */
export const jwtSchema = z.strictObject({
  algorithms: z
    .array(
      oneOf(JWT_ALGORITHMS, `must be one of ${JWT_ALGORITHMS.join(", ")}`),
      `must be a list of ${JWT_ALGORITHMS.join(", ")}`,
    )
    .check(z.minLength(1, "must name at least one algorithm")),
  /** The one `iss` that is accepted. */
  issuer: nonEmptyText,
  /** The `aud` of which a token must hold one. Without it, a token that has an `aud` is refused: it is for someone else. */
  audience: z.optional(
    textOr(nonEmptyText, z.array(nonEmptyText, "must be text, or a list of texts").check(z.minLength(1))),
  ),
  /** Where the issuer publishes its public keys. */
  jwksUrl: z.optional(z.string("must be a URL")),
  /** The public keys themselves, instead of `jwksUrl`. */
  jwks: z.optional(
    z.object({ keys: z.array(z.looseObject({ kty: z.string() })).check(z.minLength(1, "must hold a key")) }),
  ),
  uidClaim: withDefault(claimName, "sub"),
  /** The claim that is the same in all tokens of one login on one device, and another one at the next login. */
  sessionClaim: claimName,
  /** The longest life of a session: tokens issued longer ago are refused, and a fence stands for so long. */
  maximumSessionDays: days,
  clockToleranceSeconds: withDefault(
    wholeNumber("a whole number of seconds").check(atMost(300, "must not be above 300")),
    CLOCK_TOLERANCE_MS / 1000,
  ),
});

const HOST = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?$/;
export const hostName = text(HOST, "a host name in lower case, with :port if need be, without https://");

/** `[vars.APP_X.cometchat]`, which may be left out. docs/cometchat.md explains the fields. */
export const cometchatSchema = z.strictObject({
  /** The client API, `https://<host>`: auth tokens are verified by it and calls are passed on to it. CometChat's own by default. */
  clientApi: z.optional(
    text(/^https:\/\/[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?$/, "https:// and a host name, no path"),
  ),
  /** Extensions are passed on to `<slug>-<region>` of this domain. */
  extensionDomain: withDefault(hostName, "cometchat.io"),
  /** How long an isolate goes by CometChat's word that an auth token is alive. */
  cacheSeconds: withDefault(
    wholeNumber("a whole number of seconds").check(atMost(DAY_SECONDS, "must not be above a day")),
    300,
  ),
  /** Where push tokens are kept, by v2/tokens and its successor: `here`, or `both` here and at CometChat. */
  pushTokens: withDefault(choice(["here", "both"]), "here"),
});
const lifetime = whole("must be a whole number of seconds").check(
  atLeast(AUTH_TOKEN_SECONDS_MIN, `must be at least ${AUTH_TOKEN_SECONDS_MIN}`),
  atMost(SETTING_DAYS_MAX * DAY_SECONDS, `must not be above ${SETTING_DAYS_MAX * DAY_SECONDS}`),
);

/** Kept in the form in which browsers send it. */
const origin = z.pipe(
  z.string("must be text").check(
    z.refine((text) => !text.includes("*"), "must name one origin each: there are no wildcards"),
    z.refine(
      (text) => text.includes("*") || normalizedOrigin(text) !== null,
      'must be an origin such as https://app.example.com, capacitor://localhost or "null", without a path',
    ),
  ),
  z.transform((text) => normalizedOrigin(text) ?? text),
);

const rateLimitClass = text(/^([A-Z0-9_]{1,32}|none)$/, 'a class of 1 to 32 of A-Z, 0-9 and _, or "none"');

export const appSchema = z.strictObject({
  /** What clients send as `appId`. It is part of object names: letters, digits, `_` and `-`, no colon. */
  appId: text(/^[A-Za-z0-9_-]{1,64}$/, "1 to 64 letters, digits, _ or -").check(
    z.refine((appId) => !isNothing(appId), "must not be a word for nothing: as a header it counts as absent"),
  ),
  /** The region that SDKs put into host names. */
  region: withDefault(text(/^[a-z0-9-]{1,32}$/, "1 to 32 of a-z, 0-9 and -"), "us"),
  identity: withDefault(choice(IDENTITY_NAMES), "issued"),
  /** The table of the chosen identity, and no other. */
  jwt: z.optional(jwtSchema),
  cometchat: z.optional(cometchatSchema),
  policy: withDefault(choice(POLICIES), "exclusive"),
  /** Declares a change of policy: `npm run check:config` refuses one that is not declared. */
  policyChangedFrom: z.optional(choice(POLICIES)),
  /** Declares another rule of what a session is, or how long it may last, by the deployed one: docs/apps.md. */
  sessionsChangedFrom: z.optional(nonEmptyText),
  /** Lifetime of minted auth tokens, in seconds; `maximum` also sets how long fences stand. */
  authTokens: withDefault(
    z.strictObject({
      defaultSeconds: withDefault(lifetime, 30 * DAY_SECONDS),
      maximumSeconds: withDefault(lifetime, 90 * DAY_SECONDS),
    }),
    {},
  ),
  /** Whether a Firebase Installation ID and the legacy tokens that begin with it are one installation: docs/fcm.md. */
  fcmInstallations: withDefault(yesOrNo, true),
  /** Declares a change of `fcmInstallations`, as `policyChangedFrom` does of the policy. */
  fcmInstallationsChangedFrom: z.optional(yesOrNo),
  /** Whether uids that differ in case are one user, as at CometChat; for identities `issued` and `jwt`. */
  uidCase: withDefault(choice(UID_CASES), "sensitive"),
  /**
   * The objects that answer for many users at once, and by all: docs/directory.md. `complete`: they know every user of the app, so
   * that who is not there holds nothing.
   */
  directory: withDefault(
    z.strictObject({
      objects: withDefault(wholeUpTo(DIRECTORY_OBJECTS_MAX), DIRECTORY_OBJECTS),
      epoch: withDefault(wholeUpTo(Number.MAX_SAFE_INTEGER), 1),
      complete: withDefault(yesOrNo, true),
    }),
    {},
  ),
  /** An unchanged registration is written again at most this often. */
  refreshWindowDays: withDefault(days, 7),
  /** A registration not refreshed for this long is not served any more. FCM's own limit on Android is 270 days. */
  retentionDays: withDefault(days, 270),
  /** The host that `settings` name, where it is not the request's own. */
  publicHost: z.optional(hostName),
  /** Origins of web pages and of apps in a WebView that may call, as browsers send them; none given: all may. */
  allowedOrigins: z.optional(z.array(origin)),
  /** Where the app's objects live; never changed later, for the same name is another object elsewhere. Not in development. */
  jurisdiction: z.optional(choice(["eu", "us", "fedramp"])),
  /**
   * Where the app's owner and directory objects are made, and a user's object that a back end touches first; a device's own call makes it
   * near the device.
   */
  locationHint,
  /** Installations that one user may take over from others in an hour. */
  takeovers: withDefault(z.strictObject({ perUserAndHour: withDefault(wholeNumber("a whole number"), 10) }), {}),
  /** Classes of rate limits (src/http/rate-limits.ts): class X is the binding RATE_LIMIT_X; `none` is no limit. */
  rateLimits: withDefault(
    z.strictObject({
      ip: withDefault(rateLimitClass, "IP"),
      session: withDefault(rateLimitClass, "SESSION"),
      key: withDefault(rateLimitClass, "KEY"),
      unverified: withDefault(rateLimitClass, "UNVERIFIED"),
    }),
    {},
  ),
});

/** What an API key may do: `authOnly` mints auth tokens, `sender` reads and reports, `fullAccess` everything. */
export const SCOPES = ["fullAccess", "sender", "authOnly"] as const;
export type Scope = (typeof SCOPES)[number];

const hmacSecret = z.string("must be text").check(z.minLength(32, "must be at least 32 characters long"));

export const secretsSchema = z.strictObject({
  /** The first one signs, all verify: put a new one last, then first, and take the old one out (docs/apps.md). */
  signingKeys: z.array(
    z.strictObject({
      kid: text(/^[\w.-]{1,64}$/, "1 to 64 letters, digits, _, . or -"),
      secret: hmacSecret,
    }),
  ),
  /** HS256 keys of the app's own login (identity `jwt`): all verify; two of them during a rotation. */
  jwtSecrets: withDefault(
    z
      .array(z.strictObject({ kid: z.optional(z.string("must be text")), secret: hmacSecret }))
      .check(z.maxLength(JWT_SECRETS_MAX, `must not hold more than ${JWT_SECRETS_MAX}`)),
    [],
  ),
  apiKeys: z.array(
    z.strictObject({
      /** Shows in logs. */
      name: text(/^[\w.-]{1,64}$/, "1 to 64 letters, digits, _, . or -"),
      scope: choice(SCOPES),
      sha256: text(/^[0-9a-f]{64}$/, "the SHA-256 of the key in 64 lower-case hex digits"),
    }),
  ),
});

/** `[vars.APP_X]` as it stands, defaults filled in. */
export type AppTable = z.infer<typeof appSchema>;
/** `SECRETS_X` as it stands, defaults filled in. */
export type Secrets = z.infer<typeof secretsSchema>;

export type ApiKey = Secrets["apiKeys"][number];
export type SigningKey = Secrets["signingKeys"][number];

export type JwtSecret = Secrets["jwtSecrets"][number];
export type JwtSettings = z.infer<typeof jwtSchema> & { secrets: JwtSecret[] };
export type CometChatSettings = z.infer<typeof cometchatSchema>;

interface AppOfAnyIdentity extends Omit<AppTable, Identity | "identity"> {
  rules: Rules;
  /** The name of the app's secret, for what is missing from it. */
  secretsName: string;
  signingKeys: SigningKey[];
  apiKeys: ApiKey[];
}

export interface IssuedApp extends AppOfAnyIdentity {
  identity: "issued";
}

export interface JwtApp extends AppOfAnyIdentity {
  identity: "jwt";
  jwt: JwtSettings;
}

export interface CometChatApp extends AppOfAnyIdentity {
  identity: "cometchat";
  cometchat: CometChatSettings;
}

/** One tenant, ready for use. */
export type App = IssuedApp | JwtApp | CometChatApp;
