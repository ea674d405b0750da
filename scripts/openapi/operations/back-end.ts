// What back ends do to their users and ask about the deployment: scope fullAccess, or authOnly where it mints.
import * as z from "zod/mini";
import * as schemas from "../../../src/http/schemas.ts";
import { BATCH_MAX } from "../../../src/limits.ts";
import { IMPORT_OUTCOMES } from "../../../src/user-tokens/outcomes.ts";
import type { ApiOperation } from "./operation.ts";
import {
  CHANGE,
  device,
  kind,
  labels,
  NOW,
  platform,
  recordedChange,
  SESSION,
  success,
  TOKEN,
  time,
} from "./shared.ts";

/** A row as it is stored: docs/storage.md says what each column is. */
const registration = z.strictObject({
  session: z.string(),
  kind,
  token: z.string(),
  hash: z.string().check(z.describe("Of the installation that the token stands for.")),
  platform,
  labels: labels.check(z.describe("What the app said of the device; only what it said.")),
  version: z.int().check(z.describe("Of this user's claim, as the owner on record has it.")),
  claimed: z.boolean().check(z.describe("Whether this user's claim is the only one (policy `exclusive`).")),
  registeredAt: time,
  refreshedAt: time,
  shownAt: time,
  suspectAt: z.nullable(time).check(z.describe("A provider's first report of trouble since the last registration.")),
  muted: z.boolean().check(z.describe("Senders leave it out.")),
  imported: z.boolean().check(z.describe("An import brought it, and no device has registered it since.")),
});

export const BACK_END_OPERATIONS: readonly ApiOperation[] = [
  {
    id: "mintAuthToken",
    method: "post",
    path: "/v3/users/{uid}/auth_tokens",
    caller: ["fullAccess", "authOnly"],
    summary: "Mint an auth token: one login of a user on one device",
    description:
      "For apps with identity `issued`. Mint one per login and device. Without `lifetimeSeconds` it lives as long as the app's default. " +
      "With `locationHint` the user's object is made there, if this is its first call: say where the user is, not where you are. " +
      "`createdAt` is in epoch seconds, as at CometChat; every other time is in milliseconds.",
    body: { schema: schemas.mintBody, example: { lifetimeSeconds: 86_400, locationHint: "weur" } },
    data: z.strictObject({ uid: z.string(), authToken: z.string(), createdAt: z.int() }),
    example: { uid: "alice", authToken: "eyJhbGciOi…", createdAt: NOW / 1000 },
    refusals: [400, 403, 413, 415],
  },
  {
    id: "removeRegistration",
    method: "post",
    path: "/v3/users/{uid}/push_tokens/remove",
    caller: ["fullAccess"],
    summary: "Remove one registration",
    description:
      "Whichever session of the user holds the token; any spelling or form of it. The session goes on, so the app may register again: " +
      "end the session to keep it out. `removed: 0`: the user does not hold it.",
    body: { schema: schemas.removeBody, example: { token: TOKEN, kind: "fcm" } },
    data: z.strictObject({ success: z.literal(true), removed: z.int() }),
    example: { success: true, removed: 1 },
    refusals: [400, 403, 413, 415],
  },
  {
    id: "testPush",
    method: "post",
    path: "/v3/users/{uid}/test",
    caller: ["fullAccess"],
    summary: "Send a test push to a user's devices",
    description:
      "By the sender that is bound to the registry; docs/console.md says how to bind one. One push per device, none to muted ones; " +
      "`npm run test-push -- alice` sends it. `answer` is what the provider's word means, as for feedback. Nothing changes unless `report` " +
      "is true: then the answers are fed back, which may prune, and each has its `outcome`. 400: no sender is bound for this app.",
    body: { schema: schemas.testBody, example: { report: false } },
    data: z.strictObject({
      devices: z.array(
        z.strictObject({
          sessionId: z.string(),
          kind,
          platform,
          device: z.optional(device),
          answer: z
            .enum(["delivered", "dead", "doubtful", "not_about_the_token", "unknown_code", "not_sent"])
            .check(
              z.describe(
                "`not_sent`: another token of the device was pushed, or the token is for calls; `unknown_code`: nobody is known to use " +
                  "the word.",
              ),
            ),
          code: z.optional(z.string().check(z.describe("The provider's word."))),
          outcome: z.optional(z.string().check(z.describe("As in the reply to feedback."))),
          why: z.optional(z.string()),
        }),
      ),
    }),
    example: {
      devices: [
        {
          sessionId: SESSION,
          kind: "fcm",
          platform: "android",
          device: { name: "Alice's phone" },
          answer: "delivered",
        },
      ],
    },
    refusals: [400, 403, 413, 415],
    elsewhere: 400,
  },
  {
    id: "endSession",
    method: "delete",
    path: "/v3/users/{uid}/sessions/{sid}",
    caller: ["fullAccess"],
    summary: "End a session",
    description: "At once: its tokens are gone, and its auth token can never register again.",
    data: z.strictObject({ success: z.literal(true), removed: z.int() }),
    example: { success: true, removed: 1 },
    refusals: [400, 403],
  },
  {
    id: "endAllSessions",
    method: "delete",
    path: "/v3/users/{uid}/sessions",
    caller: ["fullAccess"],
    summary: "End all sessions of a user",
    body: { schema: schemas.endAllBody, example: { authTokensFlushed: false } },
    description:
      "`ended: all`: every auth token issued until now is dead, and its session with it. `ended: known`: only the sessions that " +
      "held a registration have ended. Others may go on, because the app's login gives them new auth tokens (identity `jwt`), or " +
      "because auth tokens carry no trusted time (`cometchat`). `authTokensFlushed` is only for identity `cometchat`. It says that " +
      "CometChat no longer accepts any auth token that it gave this user until now, so the fences of ended sessions need not stand " +
      "longer than that.",
    data: z.strictObject({ success: z.literal(true), removed: z.int(), ended: z.enum(["all", "known"]) }),
    example: { success: true, removed: 2, ended: "all" },
    refusals: [400, 403],
  },
  {
    id: "importPushTokens",
    method: "post",
    path: "/v3/push_tokens/import",
    caller: ["fullAccess"],
    summary: `Bring up to ${BATCH_MAX} registrations from another system`,
    description:
      "Times are epoch milliseconds; without `refreshedAt`, when the device was last seen, the item counts as half expired. Without " +
      "`session` it gets one of its own, until the device's first launch. What devices registered here stays (`held_here`); " +
      "between two imports the later `refreshedAt` wins; what went here since does not come back (`newer_here`, `ended`, " +
      "`erased`). The same item twice is `already` there. Send `unavailable` ones again; on Cloudflare's free plan a request " +
      "may reach 50 objects. With `locationHint` the objects of new users are made there. docs/moving.md has the whole way, and a command.",
    body: {
      schema: schemas.importBody,
      example: { items: [{ uid: "alice", kind: "fcm", token: TOKEN, platform: "android", refreshedAt: NOW }] },
    },
    data: z.strictObject({
      items: z.array(z.strictObject({ outcome: z.enum([...IMPORT_OUTCOMES, "invalid"]), why: z.optional(z.string()) })),
    }),
    example: { items: [{ outcome: "imported" }] },
    refusals: [400, 403, 413, 415],
  },
  {
    id: "exportUser",
    method: "get",
    path: "/v3/users/{uid}/export",
    caller: ["fullAccess"],
    summary: "Everything held about a user",
    description:
      "Registrations, fences, muted sessions that hold nothing, the record of the last 50 changes, what was taken from other users " +
      "this hour, who owns the tokens on record, and what the directory shows to senders.",
    data: z.strictObject({
      uid: z.string(),
      validFrom: time,
      registrations: z.array(registration),
      fences: z.array(z.strictObject({ session: z.string(), until: time })),
      muted: z
        .array(z.strictObject({ session: z.string(), until: time }))
        .check(z.describe("Muted sessions that hold nothing, and when each is heard again.")),
      takeovers: z
        .nullable(z.strictObject({ count: z.int(), until: time }))
        .check(z.describe("Installations taken from other users in the hour that ends then.")),
      changes: z.array(recordedChange),
      owners: z.array(z.strictObject({ tokenHash: z.string(), user: z.string(), version: z.int() })),
      directory: z
        .nullable(z.strictObject({ format: z.int(), shownSince: time, pushTokens: z.unknown() }))
        .check(
          z.describe(
            "As `pushTokens` of a lookup, muted ones included; text where a later release wrote it in a format of its own.",
          ),
        ),
    }),
    example: {
      uid: "alice",
      validFrom: 0,
      registrations: [
        {
          session: SESSION,
          kind: "fcm",
          token: TOKEN,
          hash: "a1B2c3D4…",
          platform: "android",
          labels: { timezone: "Europe/Berlin", device: { name: "Alice's phone" } },
          version: NOW,
          claimed: true,
          registeredAt: NOW,
          refreshedAt: NOW,
          shownAt: NOW,
          suspectAt: null,
          muted: false,
          imported: false,
        },
      ],
      fences: [{ session: SESSION, until: NOW }],
      muted: [],
      takeovers: null,
      changes: [CHANGE],
      owners: [],
      directory: null,
    },
    refusals: [400, 403, 404],
  },
  {
    id: "eraseUser",
    method: "delete",
    path: "/v3/users/{uid}",
    caller: ["fullAccess"],
    body: { schema: schemas.eraseBody, example: {} },
    summary: "Erase a user",
    description:
      "Everything, owner entries included; what is left is one timestamp, until no older auth token can live, and where that " +
      "keeps no session out (identity `jwt`, `cometchat`) the fences. 503 if an object did not answer: repeat it. A user whose " +
      'uid is the name of a call (`sessions`, `push_tokens`, …) is erased only if the body repeats it: `{"uid":"sessions"}`.',
    data: success,
    example: { success: true },
    refusals: [400, 403],
  },
  {
    id: "restoreUser",
    method: "post",
    path: "/v3/users/{uid}/restore",
    caller: ["fullAccess"],
    summary: "Restore a user from point-in-time recovery, and reconcile",
    description:
      "Cloudflare keeps 30 days; plain workerd keeps none and answers 500. Ends with what `reconcile` does. docs/operations.md has the steps.",
    body: { schema: schemas.restoreBody, example: { at: NOW } },
    data: z.strictObject({ restoredTo: time, kept: z.int(), dropped: z.int() }),
    example: { restoredTo: NOW, kept: 1, dropped: 0 },
    refusals: [400, 403, 413, 415],
    elsewhere: 500,
  },
  {
    id: "reconcileUser",
    method: "post",
    path: "/v3/users/{uid}/reconcile",
    caller: ["fullAccess"],
    summary: "Drop what other users own by now",
    description:
      "After a restore by hand: drops each registration whose token's owner on record is another user, and ends the sessions " +
      "that the restore may have revived.",
    data: z.strictObject({ kept: z.int(), dropped: z.int() }),
    example: { kept: 1, dropped: 0 },
    refusals: [400, 403],
  },
  {
    id: "deepHealth",
    method: "get",
    path: "/health/deep",
    caller: ["fullAccess"],
    summary: "Whether both kinds of object can be written and read",
    description: "Registers a token of its own, reads it, and takes it away. 503 if anything of that fails.",
    data: z.strictObject({ status: z.literal("ok"), ms: z.number() }),
    example: { status: "ok", ms: 12 },
    refusals: [403],
  },
  {
    id: "rebuildDirectory",
    method: "post",
    path: "/v3/push_tokens/rebuild",
    caller: ["fullAccess"],
    summary: "Make the directory anew, a step at a time",
    description:
      "Up to 40 users give the directory their state, whatever it has, and it forgets whom it knows for nothing. Repeat with the " +
      "`cursor` of the reply until there is none: `npm run directory -- --rebuild` does. Safe to repeat, and to do while the registry " +
      "serves. `done` of `of` objects have been walked.",
    body: { schema: schemas.rebuildBody, example: {} },
    data: z.strictObject({
      users: z.int(),
      done: z.optional(z.int()),
      of: z.optional(z.int()),
      cursor: z.optional(z.string()),
    }),
    example: { users: 12, done: 1, of: 264, cursor: "1:8/owners/1/" },
    refusals: [400, 403, 413, 415],
  },
  {
    id: "forgetEpoch",
    method: "post",
    path: "/v3/push_tokens/forget_epoch",
    caller: ["fullAccess"],
    summary: "Delete what an earlier epoch of the directory holds",
    description:
      "After `directory.epoch` was raised and the directory was made anew: the objects of the epoch before still hold uids and tokens, " +
      "also of users who are erased later. `npm run directory -- --forget 1:8` does it, for epoch 1 with 8 objects.",
    body: { schema: schemas.forgetEpochBody, example: { epoch: 1, objects: 4 } },
    data: success,
    example: { success: true },
    refusals: [400, 403, 413, 415],
  },
];
