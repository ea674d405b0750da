// The apps of the tests, as vars and secrets of the Worker. Shared by vitest.config.ts (Node) and the tests (workerd).

/** API keys of every test app, by scope. Each test app accepts them, so a wrong app is told from a wrong key by `appId`. */
export const API_KEYS = {
  fullAccess: "test-full-access-key",
  sender: "test-sender-key",
  authOnly: "test-auth-only-key",
} as const;

// SHA-256 of the keys above.
const API_KEY_HASHES = {
  fullAccess: "226ba9075cc5b10c61e2ad6f490d231bc9d73026567f20fac0e857e461c3c6fe",
  sender: "02c4e5903be4291225fe9992c33b8f001e9f4dd2c23d17e1cd7585fac7de3435",
  authOnly: "039a2d29a5a69067528b59ec5a954caa07d3ca29f3242ceb744e16605d837d41",
} as const;

const secrets = (name: string, jwtSecrets: object[] = []) =>
  JSON.stringify({
    jwtSecrets,
    signingKeys: [
      { kid: "new", secret: `signing-key-of-the-app-${name}-in-use-now` },
      { kid: "old", secret: `signing-key-of-the-app-${name}-in-use-before` },
    ],
    apiKeys: Object.entries(API_KEY_HASHES).map(([scope, sha256]) => ({ name: `test-${scope}`, scope, sha256 })),
  });

const UNLIMITED = {
  takeovers: { perUserAndHour: 1_000_000 },
  rateLimits: { ip: "none", session: "none", key: "none", unverified: "none" },
};

/** Secrets of the login of the app `jwt-secret`: in use now, in use before, and an old one without a name. */
export const JWT_SECRETS = [
  { kid: "now", secret: "secret-of-the-own-login-that-is-in-use" },
  { kid: "before", secret: "secret-of-the-own-login-that-was-in-use" },
  { secret: "secret-of-the-own-login-without-a-name" },
];

/** Issuers that publish keys: each has an app, for the keys that were fetched for an app stay in the isolate. */
export const ISSUERS = 40;

export interface JwtTestApp {
  appId: string;
  identity: "jwt";
  uidCase?: "insensitive";
  takeovers: object;
  rateLimits: object;
  jwt: {
    algorithms: string[];
    issuer: string;
    audience?: string | string[];
    jwksUrl?: string;
    uidClaim?: string;
    sessionClaim: string;
    maximumSessionDays: number;
  };
}

function jwtApp(name: string, jwt: Partial<JwtTestApp["jwt"]>): JwtTestApp {
  const issuer = `https://login.${name}.test`;
  return {
    appId: `jwt-${name}`,
    identity: "jwt",
    ...UNLIMITED,
    jwt: { algorithms: ["HS256"], issuer, audience: "registry", sessionClaim: "sid", maximumSessionDays: 30, ...jwt },
  };
}

/** Apps with a login of their own. */
export const JWT_APPS: Record<string, JwtTestApp> = {
  SECRET: jwtApp("secret", {}),
  /** Claims deep in the token, or with a URL for a name. */
  CLAIMS: jwtApp("claims", { uidClaim: "user.account.id", sessionClaim: "https://example.com/session" }),
  /** Its tokens have no audience. */
  NOBODY: {
    ...jwtApp("nobody", {}),
    jwt: { algorithms: ["HS256"], issuer: "https://login.nobody.test", sessionClaim: "sid", maximumSessionDays: 30 },
  },
  AUDIENCES: jwtApp("audiences", { audience: ["registry", "registry-2"] }),
  /** Its uids came from CometChat. */
  CASELESS: { ...jwtApp("caseless", {}), uidCase: "insensitive" },
  /** Both kinds of key. */
  MIXED: jwtApp("mixed", { algorithms: ["RS256", "HS256"], jwksUrl: "https://login.mixed.test/jwks.json" }),
  ...Object.fromEntries(
    Array.from({ length: ISSUERS }, (_, n) => [
      `ISSUER_${n}`,
      jwtApp(`issuer-${n}`, {
        algorithms: ["RS256", "ES256", "EdDSA"],
        jwksUrl: `https://login.issuer-${n}.test/.well-known/jwks.json`,
      }),
    ]),
  ),
};

/** Apps whose users log in at CometChat. Test files share the fake one, so some have an app of their own. */
export const COMETCHAT_APPS = {
  CHAT: { appId: "chat", identity: "cometchat", ...UNLIMITED },
  /** In another region; auth tokens are asked about again after a minute. */
  CHAT_EU: { appId: "chat-eu", region: "eu", identity: "cometchat", cometchat: { cacheSeconds: 60 }, ...UNLIMITED },
  /** Push tokens are kept here and at CometChat. */
  CHAT_BOTH: { appId: "chat-both", identity: "cometchat", cometchat: { pushTokens: "both" }, ...UNLIMITED },
  /** Five questions a minute and address with auth tokens that nothing vouches for. */
  CHAT_RATED: {
    appId: "chat-rated",
    identity: "cometchat",
    ...UNLIMITED,
    rateLimits: { ip: "none", session: "none", key: "none", unverified: "TEST" },
  },
  /** Five calls of ours a minute and address. */
  CHAT_RATED_IP: {
    appId: "chat-rated-ip",
    identity: "cometchat",
    ...UNLIMITED,
    rateLimits: { ip: "TEST", session: "none", key: "none", unverified: "none" },
  },
  /** Reached by a host name of the app's own, from two sites. */
  CHAT_HOST: {
    appId: "chat-host",
    identity: "cometchat",
    publicHost: "push-notification-us.example.com",
    allowedOrigins: ["https://app.example.com"],
    ...UNLIMITED,
  },
} as const;

/** What the fake CometChat knows: the region of each app. */
export const COMETCHAT_REGIONS: Record<string, string> = Object.fromEntries(
  Object.values(COMETCHAT_APPS).map((app) => [app.appId, "region" in app ? app.region : "us"]),
);

const apps: Record<string, object> = {
  ...JWT_APPS,
  ...COMETCHAT_APPS,
  /** The app of most tests: the defaults, but for limits that a test could meet by chance. */
  TEST: { appId: "test", ...UNLIMITED },
  /** Another tenant with the same users. */
  OTHER: { appId: "other", region: "eu", ...UNLIMITED },
  /** Its uids came from CometChat: their case does not count. */
  CASELESS_ISSUED: { appId: "caseless", uidCase: "insensitive", ...UNLIMITED },
  /** One sender with several FCM sender ids: a FID and a legacy token are two installations. */
  SENDER_IDS: { appId: "sender-ids", fcmInstallations: false, ...UNLIMITED },
  /** Several users of one device may hold a token. */
  SHARED: { appId: "shared", policy: "shared" },
  /** The default takeover limit. */
  LIMITED: { appId: "limited" },
  /** With rate limits that a test can reach: five calls a minute by address, and by session. */
  RATED: { appId: "rated", rateLimits: { ip: "TEST", session: "TEST", key: "none" } },
  /** The same by API key. */
  RATED_KEY: { appId: "rated-key", rateLimits: { ip: "TEST", session: "none", key: "TEST" } },
  /** Called by the pages of two sites only, and with a host of its own. */
  ORIGINS: {
    appId: "origins",
    allowedOrigins: [
      "https://app.example.com",
      "https://WWW.example.com:443",
      "capacitor://localhost",
      "ionic://localhost",
      "file://",
      "chrome-extension://aapbdbdomjkkjkaonfhkkikfgjllcleb",
      "http://localhost:3000",
    ],
    publicHost: "push-notification-us.example.com",
  },
};

/** Keys of the app `keys`, which no other app has: two of one scope, as during a rotation. */
export const ROTATED_KEYS = { before: "keys-sender-first", now: "keys-sender-second" } as const;

const rotatedSecrets = JSON.stringify({
  signingKeys: [],
  apiKeys: [
    {
      name: "sender-2026-10",
      scope: "sender",
      sha256: "1d43440e5001efa3cb679d9d3e01720686f07703a80d5f42aa0017644c0977a6",
    },
    {
      name: "sender-2026-11",
      scope: "sender",
      sha256: "6b8958c01e4434889a339f00998062381ad21aa4203dbc54637075442eb787f9",
    },
  ],
});

/** Rate-limit bindings beside those of wrangler.toml; miniflare's are exact. */
export const testRateLimits = { RATE_LIMIT_TEST: { namespace_id: "9001", simple: { limit: 5, period: 60 as const } } };

export const testBindings: Record<string, string | object> = {
  DEVELOPMENT: "true",
  ...Object.fromEntries(Object.entries(apps).map(([name, app]) => [`APP_${name}`, app])),
  ...Object.fromEntries(
    Object.keys(apps).map((name) => [
      `SECRETS_${name}`,
      secrets(name, JWT_APPS[name]?.jwt.algorithms.includes("HS256") ? JWT_SECRETS : []),
    ]),
  ),
  APP_BROKEN: { appId: "broken", retentionDays: -1 },
  APP_KEYS: { appId: "keys" },
  SECRETS_KEYS: rotatedSecrets,
  // Without secrets.
  APP_LEAKY: { appId: "leaky" },
  APP_LEAKY_JWT: jwtApp("leaky", {}),
};
