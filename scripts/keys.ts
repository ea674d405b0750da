// `npm run keys`: makes the secrets of an app. Keys are shown once, here, and are written nowhere; the Worker gets the
// signing key and only the SHA-256 of the API keys. See --help.
import { createHash, randomBytes } from "node:crypto";
import { parseArgs } from "node:util";
import { SCOPES, type Scope } from "../src/config/apps.ts";

const HELP = `Makes the secrets of an app.

  npm run keys -- [NAME]                  a signing key and an API key of each scope, for a new app
  npm run keys -- [NAME] --api-key SCOPE  one more API key: ${SCOPES.join(", ")}
  npm run keys -- [NAME] --signing-key    one more signing key

NAME is that of the app's var: ACME for [vars.APP_ACME]. Nothing is stored: what is printed is all there is.

To rotate, put the new entry beside the old one in SECRETS_<NAME> (a new signing key last, and first some minutes later: the first one signs), let
clients move, and take the old one out: an API key when no log line names it any more, a signing key when the longest-lived
auth token and unregister ticket that it signed is over. docs/apps.md, "Rotating keys", has the steps.
`;

export interface NewApiKey {
  scope: Scope;
  /** What the caller sends as `apikey`. */
  key: string;
  entry: { name: string; scope: Scope; sha256: string };
}

/** An API key of 256 random bits. Its prefix says what it is, for whoever finds it. */
export function makeApiKey(scope: Scope, today = new Date()): NewApiKey {
  const key = `ptr_${scope}_${randomBytes(32).toString("base64url")}`;
  const sha256 = createHash("sha256").update(key).digest("hex");
  return { scope, key, entry: { name: `${scope}-${nameSuffix(today)}`, scope, sha256 } };
}

export function makeSigningKey(today = new Date()): { kid: string; secret: string } {
  return { kid: nameSuffix(today), secret: randomBytes(32).toString("base64url") };
}

/** The day, and four digits so that two keys of one day have two names. */
function nameSuffix(today: Date): string {
  return `${today.toISOString().slice(0, 10)}-${randomBytes(2).toString("hex")}`;
}

function main(): number {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      "api-key": { type: "string" },
      "signing-key": { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const name = (positionals[0] ?? "<NAME>").replace(/^(APP|SECRETS)_/, "");
  if (positionals.length > 1 || !/^([A-Z0-9_]+|<NAME>)$/.test(name)) {
    console.error(`NAME must be that of one app's var: ACME for [vars.APP_ACME].\n\n${HELP}`);
    return 1;
  }
  const scope = SCOPES.find((each) => each === values["api-key"]);
  if (values["api-key"] !== undefined && scope === undefined) {
    console.error(`--api-key must be one of ${SCOPES.join(", ")}.`);
    return 1;
  }
  const secret = `SECRETS_${name}`;
  if (scope !== undefined) printApiKey(secret, scope);
  if (values["signing-key"]) printSigningKey(secret);
  if (scope === undefined && !values["signing-key"]) printAll(secret);
  return 0;
}

function printAll(secret: string): void {
  const apiKeys = SCOPES.map((scope) => makeApiKey(scope));
  const value = { signingKeys: [makeSigningKey()], apiKeys: apiKeys.map(({ entry }) => entry) };
  console.log(`API keys, shown only now. Give each back end the one that it needs:

${apiKeys.map(({ scope, key }) => `  ${scope.padEnd(10)} ${key}`).join("\n")}

Paste this line as the value of \`npx wrangler secret put ${secret}\`, and keep it where you keep secrets:

${JSON.stringify(value)}
`);
}

function printApiKey(secret: string, scope: Scope): void {
  const { key, entry } = makeApiKey(scope);
  console.log(`A new API key, shown only now:

  ${scope.padEnd(10)} ${key}

Add this to "apiKeys" in ${secret}, beside the old one:

${JSON.stringify(entry)}
`);
}

function printSigningKey(secret: string): void {
  console.log(`Put this last in "signingKeys" of ${secret}, and first some minutes later (docs/apps.md, Rotating keys):

${JSON.stringify(makeSigningKey())}
`);
}

if (import.meta.main) process.exitCode = main();
