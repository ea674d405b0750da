// What is measured: the operations of a launch and of a sender, as requests that any subject understands.
import { createHash } from "node:crypto";
import { OWNER_SHARDS } from "../../src/limits.ts";
import type { LoadRequest } from "./load.ts";
import { clientHeaders, SERVER_HEADERS } from "./logins.ts";

export interface Operation {
  name: string;
  /** Whether the floor has it: it is the least that this operation takes. */
  hasFloor: boolean;
  /** Requests to make before the measurement; they are not measured. */
  prepare(users: number): LoadRequest[];
  /** The requests to measure, without end, or as many as there are. */
  requests(users: number): Generator<LoadRequest>;
  /** Whether it can be done only once per user, and so is measured on a request per user, not for a time. */
  isOnce: boolean;
  /** Where it takes so long that one cut off by the clock would count: that many requests, not a time. */
  amount?: number;
  /** Whether only the registry has it: what it is compared with is another operation. */
  isRegistryOnly?: boolean;
  /** Where it takes fewer than the run's to keep the server busy. */
  connections?: number;
  /** Users that one request reads; 1 but for lookups. */
  usersPerRequest: number;
}

let runs = 0;

/** A prefix that no other run uses: each measurement has users and tokens of its own. */
const nextRun = () => `r${runs++}`;

function register(headers: Record<string, string>, tokens: Record<string, string>, query = ""): LoadRequest {
  return { method: "POST", path: `/v2/tokens${query}`, headers, body: JSON.stringify(tokens) };
}

function* cycle<T>(items: T[]): Generator<T> {
  for (;;) yield* items;
}

/** Users with one session and one token each. */
function known(run: string, users: number) {
  return Array.from({ length: users }, (_, i) => {
    const uid = `${run}-user-${i}`;
    return { uid, headers: clientHeaders(uid, `${uid}-phone`), token: `${run}-token-${i}` };
  });
}

/** An operation on known users; `request` makes the one that is measured. */
function onKnownUsers(
  name: string,
  hasFloor: boolean,
  isOnce: boolean,
  request: (user: ReturnType<typeof known>[number]) => LoadRequest,
): Operation {
  let run = "";
  return {
    name,
    hasFloor,
    isOnce,
    usersPerRequest: 1,
    prepare(users) {
      run = nextRun();
      return known(run, users).map(({ headers, token }) => register(headers, { fcmToken: token }));
    },
    *requests(users) {
      const all = known(run, users).map(request);
      if (isOnce) yield* all;
      else yield* cycle(all);
    },
  };
}

/** A token for each of the registry's owner objects: they live as long as the app, so a new token never meets a new one. */
function* warmOwners(run: string): Generator<LoadRequest> {
  const missing = new Set(Array.from({ length: OWNER_SHARDS }, (_, shard) => shard));
  for (let i = 0; missing.size > 0; i++) {
    const token = `${run}-warm-${i}`;
    // The shard is the first byte of the token's hash (names.ts).
    const shard = createHash("sha256").update(`fcm:${token}`).digest()[0] ?? 0;
    if (!missing.delete(shard % OWNER_SHARDS)) continue;
    yield register(clientHeaders(`${run}-warm-${shard % 4}`, `${run}-warm-${shard}`), { fcmToken: token });
  }
}

/** Every request fills an empty slot: another session, or another kind. At most 99 a user: the cap is 100. */
function newToken(): Operation {
  let run = "";
  return {
    name: "new token",
    hasFloor: true,
    isOnce: false,
    usersPerRequest: 1,
    prepare(users) {
      run = nextRun();
      const registered = known(run, users).map(({ headers, token }) => register(headers, { fcmToken: token }));
      return [...warmOwners(run), ...registered];
    },
    *requests(users) {
      for (let session = 0; session < 33; session++) {
        const phones = Array.from({ length: users }, (_, i) =>
          clientHeaders(`${run}-user-${i}`, `${run}-${session}-${i}`),
        );
        for (const field of ["fcmToken", "apnsToken", "voipToken"]) {
          for (const [i, headers] of phones.entries())
            yield register(headers, { [field]: `${run}-${session}-${field}-${i}` });
        }
      }
    },
  };
}

/** Pairs of users hand one phone to and fro. */
function handover(): Operation {
  let run = "";
  const pairs = (users: number) =>
    Array.from({ length: users }, (_, i) => ({
      token: `${run}-token-${i}`,
      turns: ["a", "b"].map((name) => clientHeaders(`${run}-${name}-${i}`, `${run}-${name}-${i}-phone`)),
    }));
  return {
    name: "handover",
    hasFloor: false,
    isOnce: false,
    usersPerRequest: 1,
    prepare(users) {
      run = nextRun();
      return pairs(users).flatMap(({ token, turns }) => turns.map((headers) => register(headers, { fcmToken: token })));
    },
    *requests(users) {
      const all = pairs(users);
      // The second of each pair holds the token now: the first takes it back.
      for (let turn = 0; ; turn++) {
        for (const { token, turns } of all) yield register(turns[turn % 2] ?? {}, { fcmToken: token });
      }
    },
  };
}

function lookup(size: number): Operation {
  let run = "";
  return {
    name: `lookup of ${size}`,
    connections: 4,
    amount: Math.max(40, 20_000 / size),
    hasFloor: false,
    isOnce: false,
    usersPerRequest: size,
    prepare(users) {
      run = nextRun();
      return known(run, Math.max(users, size)).map(({ headers, token }) => register(headers, { fcmToken: token }));
    },
    *requests(users) {
      const uids = known(run, Math.max(users, size)).map(({ uid }) => uid);
      for (let start = 0; ; start = (start + size) % uids.length) {
        const batch = Array.from({ length: size }, (_, i) => uids[(start + i) % uids.length]);
        yield {
          method: "POST",
          path: "/v3/push_tokens/lookup",
          headers: SERVER_HEADERS,
          body: JSON.stringify({ uids: batch }),
        };
      }
    },
  };
}

/** What lookups are compared with: one user in one request. */
const READ: Operation = {
  ...onKnownUsers("read by a sender", false, false, ({ uid }) => ({
    method: "GET",
    path: `/v3/users/${uid}/push_tokens`,
    headers: SERVER_HEADERS,
  })),
  isRegistryOnly: true,
};

export const OPERATIONS: Operation[] = [
  onKnownUsers("list", true, false, ({ headers }) => ({ method: "GET", path: "/v2/tokens", headers })),
  onKnownUsers("unchanged registration", true, false, ({ headers, token }) =>
    register(headers, { fcmToken: token }, "?unchanged"),
  ),
  newToken(),
  handover(),
  onKnownUsers("logout", false, true, ({ headers }) => ({ method: "DELETE", path: "/v3.0/me", headers })),
  onKnownUsers("delete all", false, true, ({ headers }) => ({
    method: "DELETE",
    path: "/v2/tokens",
    headers,
    body: '{"all":true}',
  })),
  READ,
  lookup(100),
  lookup(500),
];
