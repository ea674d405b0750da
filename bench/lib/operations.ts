// What is measured: the operations of a launch and of a sender, as requests that any subject understands.
import { createHash } from "node:crypto";
import { OWNER_SHARDS } from "../../src/limits.ts";
import { type Api, type Login, type Phone, pages, type Tokens } from "./api.ts";
import type { LoadRequest } from "./load.ts";
import { SERVER_HEADERS } from "./logins.ts";

export interface Operation {
  name: string;
  /** Whether the floor has it: it is the least that this operation takes. */
  hasFloor: boolean;
  /** One measurement, with users and tokens of its own. */
  begin(api: Api, users: number): Run;
  /** Whether it can be done only once per user, and so is measured on a request per user, not for a time. */
  isOnce: boolean;
  /** Where it takes so long that one cut off by the clock would count: that many requests, not a time. */
  amount?: number;
  /** Whether only the registry has it: what it is compared with is another operation. */
  isRegistryOnly?: boolean;
  /** A request that a subject refuses (400) or does not know (404) if it does not have the operation, or not in this size. */
  probe?(api: Api): LoadRequest;
  /** Where it takes fewer than the run's to keep the server busy. */
  connections?: number;
  /** Users that one request reads; 1 but for lookups and pages. */
  usersPerRequest: number;
}

export interface Run {
  /** Whoever calls, for subjects where a login is more than a signature. */
  logins: Login[];
  /** Requests to make before the measurement; they are not measured. */
  before: LoadRequest[];
  /** The requests to measure, without end, or as many as there are; asked for when `before` has been done. */
  measured(url: string): Iterator<LoadRequest> | Promise<Iterator<LoadRequest>>;
}

let runs = 0;

/** A prefix that no other run uses: each measurement has users and tokens of its own. */
const nextRun = () => `r${runs++}`;

function* cycle<T>(items: T[]): Generator<T> {
  for (;;) yield* items;
}

interface User extends Login {
  phone: Phone;
  tokens: Tokens;
}

/** Users with one session and one token each. */
function known(api: Api, run: string, users: number): User[] {
  return Array.from({ length: users }, (_, i) => {
    const login = { uid: `${run}-user-${i}`, session: `${run}-user-${i}-phone` };
    return { ...login, phone: api.phone(login), tokens: { fcmToken: `${run}-token-${i}` } };
  });
}

const registrations = (users: User[]) => users.map(({ phone, tokens }) => phone.register(tokens));

/** An operation on known users; `request` makes the one that is measured. */
function onKnownUsers(
  name: string,
  hasFloor: boolean,
  isOnce: boolean,
  request: (user: User) => LoadRequest,
): Operation {
  return {
    name,
    hasFloor,
    isOnce,
    usersPerRequest: 1,
    begin(api, users) {
      const all = known(api, nextRun(), users);
      const measured = () => (isOnce ? all.map(request).values() : cycle(all.map(request)));
      return { logins: all, before: registrations(all), measured };
    },
  };
}

interface Warm extends Login {
  tokens: Tokens;
}

/** A token for each of the registry's owner objects: they live as long as the app, so a new token never meets a new one. */
function* warmOwners(run: string): Generator<Warm> {
  const missing = new Set(Array.from({ length: OWNER_SHARDS }, (_, shard) => shard));
  for (let i = 0; missing.size > 0; i++) {
    const token = `${run}-warm-${i}`;
    // The shard is the first byte of the token's hash (names.ts).
    const shard = createHash("sha256").update(`fcm:${token}`).digest()[0] ?? 0;
    if (!missing.delete(shard % OWNER_SHARDS)) continue;
    yield { uid: `${run}-warm-${shard % 4}`, session: `${run}-warm-${shard}`, tokens: { fcmToken: token } };
  }
}

/** Every request fills an empty slot: another session, or another kind. At most 99 a user: the cap is 100. */
const NEW_TOKEN: Operation = {
  name: "new token",
  hasFloor: true,
  isOnce: false,
  usersPerRequest: 1,
  begin(api, users) {
    const run = nextRun();
    const all = known(api, run, users);
    const warm = [...warmOwners(run)];
    const sessions = Array.from({ length: 33 }, (_, session) =>
      all.map(({ uid }, i) => ({ uid, session: `${run}-${session}-${i}` })),
    );
    function* measured() {
      for (const [session, logins] of sessions.entries()) {
        const phones = logins.map(api.phone);
        for (const field of ["fcmToken", "apnsToken", "voipToken"]) {
          for (const [i, phone] of phones.entries())
            yield phone.register({ [field]: `${run}-${session}-${field}-${i}` });
        }
      }
    }
    const before = [...warm.map((login) => api.phone(login).register(login.tokens)), ...registrations(all)];
    return { logins: [...all, ...warm, ...sessions.flat()], before, measured };
  },
};

/** Pairs of users hand one phone to and fro. */
const HANDOVER: Operation = {
  name: "handover",
  hasFloor: false,
  isOnce: false,
  usersPerRequest: 1,
  begin(api, users) {
    const run = nextRun();
    const pairs = Array.from({ length: users }, (_, i) => ({
      tokens: { fcmToken: `${run}-token-${i}` },
      turns: ["a", "b"].map((name) => ({ uid: `${run}-${name}-${i}`, session: `${run}-${name}-${i}-phone` })),
    }));
    const turns = [0, 1].map((turn) =>
      pairs.flatMap(({ tokens, turns }) =>
        turns.slice(turn, turn + 1).map((login) => api.phone(login).register(tokens)),
      ),
    );
    // After that the second of each pair holds the token: the first takes it back.
    return { logins: pairs.flatMap(({ turns }) => turns), before: turns.flat(), measured: () => cycle(turns.flat()) };
  },
};

function lookup(size: number): Operation {
  return {
    name: `lookup of ${size.toLocaleString("en")}`,
    connections: 4,
    amount: Math.max(40, 20_000 / size),
    hasFloor: false,
    isOnce: false,
    usersPerRequest: size,
    probe: (api) => api.lookup(Array.from({ length: size }, (_, i) => `nobody-${i}`)),
    begin(api, users) {
      const all = known(api, nextRun(), Math.max(users, size));
      const uids = all.map(({ uid }) => uid);
      function* measured() {
        for (let start = 0; ; start = (start + size) % uids.length) {
          yield api.lookup(Array.from({ length: size }, (_, i) => uids[(start + i) % uids.length] ?? ""));
        }
      }
      return { logins: all, before: registrations(all), measured };
    },
  };
}

/** All users, page by page. It comes first: then a page holds users with one token each, and as many in every subject. */
function page(size: number): Operation {
  return {
    name: `page of ${size.toLocaleString("en")}`,
    connections: 4,
    amount: Math.max(40, 20_000 / size),
    hasFloor: false,
    isOnce: false,
    usersPerRequest: size,
    probe: (api) => api.page(size, null),
    begin(api, users) {
      const all = known(api, nextRun(), Math.max(users, size));
      const measured = async (url: string) => cycle(await fullPages(api, url, size));
      return { logins: all, before: registrations(all), measured };
    },
  };
}

/** A cursor stands in the page before: so all pages are asked for once, in turn. */
async function fullPages(api: Api, url: string, size: number): Promise<LoadRequest[]> {
  const full: LoadRequest[] = [];
  for await (const { request, reply } of pages(api, url, size)) if (api.found(reply).size === size) full.push(request);
  if (full.length === 0) throw new Error(`no page of ${url} has ${size} users`);
  return full;
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
  page(1000),
  onKnownUsers("list", true, false, ({ phone }) => phone.list()),
  onKnownUsers("unchanged registration", true, false, ({ phone, tokens }) => phone.registerAgain(tokens)),
  NEW_TOKEN,
  HANDOVER,
  onKnownUsers("logout", false, true, ({ phone }) => phone.logout()),
  onKnownUsers("delete all", false, true, ({ phone }) => phone.removeAll()),
  READ,
  lookup(100),
  lookup(500),
  lookup(1000),
];
