// The clients and servers that call users' objects: what the Worker's routes send, with nothing in between.
import { importSession, type Policy, type PushToken, type Rules, type Session } from "../../src/domain/registration.ts";
import type { DirectorySettings } from "../../src/durable/names.ts";
import { DAY_MS, UNCONFIRMED_FENCE_MS } from "../../src/limits.ts";
import type { ImportItem, RestoreOutcome, Unavailable } from "../../src/user-tokens/outcomes.ts";
import { type Action, type Operation, Oracle } from "./oracle.ts";
import { APP, type Call, type Reply, type World } from "./world.ts";

export interface Setup {
  policy: Policy | "shared, then exclusive" | "exclusive, shared, exclusive";
  /** `issued`: an auth token is its session. `jwt`: a session gets new ones. `cometchat`: they carry no trusted time. */
  identity: "issued" | "jwt" | "cometchat";
  /** Whether each registration is due for a refresh, or none is. */
  refreshes: boolean;
  /** A takeover limit that a schedule can meet: 1 per user. */
  limited: boolean;
  /** Directory objects. */
  objects: number;
}

/** The policies of a schedule, one after the other. */
export function policiesOf({ policy }: Pick<Setup, "policy">): Policy[] {
  switch (policy) {
    case "exclusive":
    case "shared":
      return [policy];
    case "shared, then exclusive":
      return ["shared", "exclusive"];
    case "exclusive, shared, exclusive":
      return ["exclusive", "shared", "exclusive"];
  }
}

/** As the Worker says it. */
function howSessionsEnd({ identity }: Setup): { trustedTime: boolean; sessionsOutliveTokens: boolean } {
  return { trustedTime: identity !== "cometchat", sessionsOutliveTokens: identity !== "issued" };
}

export class Clients {
  readonly oracle: Oracle;
  readonly setup: Setup;
  readonly #world: World;
  readonly #sessions = new Map<string, Session>();
  #policy: Policy;
  /** The longest session that the app allows, in days. */
  #longestDays = 1;
  #sessionCount = 0;
  #epoch = 1;

  constructor(world: World, setup: Setup, registrationsMax: number) {
    this.#world = world;
    this.setup = setup;
    [this.#policy = "exclusive"] = policiesOf(setup);
    world.deploy(this.#configuration);
    this.oracle = new Oracle(world, {
      exclusive: setup.policy !== "shared",
      alwaysExclusive: setup.policy === "exclusive",
      ...howSessionsEnd(setup),
      rules: this.rules,
      registrationsMax,
      directory: this.#directory,
    });
    world.observe(this.oracle);
  }

  get rules(): Rules {
    return {
      policy: this.#policy,
      refreshWindowMs: this.setup.refreshes ? 0 : 7 * DAY_MS,
      retentionMs: 20 * DAY_MS,
      fenceMs: this.#fenceMs,
      sessionMs: this.setup.identity === "cometchat" ? 0 : this.#fenceMs,
      takeoversPerUser: this.setup.limited ? 1 : 1000,
    };
  }

  /** As src/config has it. */
  get #fenceMs(): number {
    return this.setup.identity === "cometchat" ? UNCONFIRMED_FENCE_MS : this.#longestDays * DAY_MS + 60_000;
  }

  get #configuration(): object {
    const { identity } = this.setup;
    const jwt = { algorithms: ["HS256"], issuer: "model", sessionClaim: "sid", maximumSessionDays: this.#longestDays };
    const authTokens = { defaultSeconds: 60, maximumSeconds: (this.#longestDays * DAY_MS) / 1000 };
    const directory = { ...this.#directory, complete: this.#epoch === 1 };
    const app = {
      appId: APP,
      identity,
      retentionDays: 20,
      authTokens,
      directory,
      ...(identity === "jwt" ? { jwt } : {}),
    };
    return { APP_MODEL: app };
  }

  get #directory(): DirectorySettings {
    return { objects: this.setup.objects, epoch: this.#epoch };
  }

  /** Other directory objects, which know nobody yet. */
  raiseEpoch(): void {
    this.#epoch += 1;
    this.#world.deploy(this.#configuration);
    this.oracle.directoryRaised(this.#directory);
  }

  /** From now on the app has this policy. */
  declare(policy: Policy): void {
    this.#policy = policy;
  }

  /**
   * The app allows longer sessions, or again the shorter ones. Sessions that went on under the longer setting are over then,
   * but for those that ended: whoever has their auth tokens may still present them.
   */
  changeSettings(): void {
    const now = this.#world.now();
    for (const [key, { id }] of this.#sessions) {
      const isOver = startOf(id) + this.#longestDays * DAY_MS <= now;
      if (isOver || (this.#longestDays > 1 && !this.oracle.hasEnded(id))) this.#sessions.delete(key);
    }
    this.#longestDays = this.#longestDays === 1 ? 3 : 1;
    this.#world.deploy(this.#configuration);
  }

  /** The session of a login; one whose auth token is over logs in anew. */
  session(user: string, login: number): Session {
    const session = this.#sessions.get(`${user} ${login}`);
    if (session === undefined) return this.login(user, login);
    const now = this.#world.now();
    if (this.setup.identity !== "jwt") {
      return session.usableUntil !== null && session.usableUntil <= now ? this.login(user, login) : session;
    }
    if (startOf(session.id) + this.#longestDays * DAY_MS <= now) return this.login(user, login);
    return { ...session, issuedAt: now, usableUntil: now + DAY_MS };
  }

  login(user: string, login: number): Session {
    const now = this.#world.now();
    const { trustedTime } = howSessionsEnd(this.setup);
    this.#sessionCount += 1;
    const session: Session = {
      id: `s${this.#sessionCount}@${now}`,
      issuedAt: trustedTime ? Math.max(now, this.#validFrom(user) + 1) : null,
      usableUntil: trustedTime ? now + this.#longestDays * DAY_MS : null,
    };
    this.#sessions.set(`${user} ${login}`, session);
    return session;
  }

  /** Minting asks the object. */
  #validFrom(user: string): number {
    const facts = this.#world.object(`${APP}:${user}`).storage.rows("facts");
    return Number(facts.find((row) => row.fact === "valid_from")?.value ?? 0);
  }

  /** Whether fences of the user gave way: then a session that holds nothing waits. */
  isShut(user: string): boolean {
    const facts = this.#world.object(`${APP}:${user}`).storage.rows("facts");
    return facts.some((row) => row.fact === "fence" && row.key === "" && Number(row.until) > this.#world.now());
  }

  /** Sends what the Worker would send; a client that gets an error, or 503, repeats it up to `repeats` times. */
  send(user: string, action: Action, repeats = 0): Call | null {
    const [method, ...args] = this.#request(user, action);
    if (method === undefined) return null;
    const answered = (outcome: Reply["outcome"]) => {
      const isUnavailable = outcome.ok && (outcome.value as Partial<Unavailable> | undefined)?.reason === "unavailable";
      if ((!outcome.ok || isUnavailable) && repeats > 0) this.send(user, action, repeats - 1);
    };
    const call = this.#world.send(`${APP}:${user}`, String(method), args, answered);
    this.oracle.sent(call, user, action);
    return call;
  }

  #request(user: string, action: Action): unknown[] {
    const { rules } = this;
    const ending = { rules, ...howSessionsEnd(this.setup) };
    switch (action.do) {
      case "register":
        return ["register", { uid: user, session: action.session, tokens: action.tokens, rules }];
      case "remove":
        return ["remove", { session: action.session, all: action.all }];
      case "endSession": {
        const { id, issuedAt, usableUntil } = action.session;
        const fence = { ms: rules.fenceMs, atLeastUntil: usableUntil, open: this.setup.identity === "cometchat" };
        const { onlyIfKnown = false } = action;
        return ["endSession", { session: id, issuedAt, fence, onlyIfKnown, ...ending }];
      }
      case "endAllSessions":
      case "erase":
      case "reconcile":
        return [action.do, { uid: user, ...ending }];
      case "unregister": {
        const slots = this.#tickets(user, action.session, action.tokens);
        return slots.length === 0 ? [] : ["unregister", { session: action.session.id, slots }];
      }
      case "feedback": {
        const { hash, token } = action.token;
        const at = this.#world.now();
        const report = { hash, token, code: "UNREGISTERED", verdict: "dead", at };
        // No window: a report of now prunes.
        return ["feedback", [report], 0];
      }
      case "mute":
        return ["mute", { session: action.session, of: action.session.id, muted: action.muted }];
      case "show":
        return ["show", action.isKnown ? user : null];
      case "import":
        return ["importAll", { uid: user, items: action.items, rules }];
      case "list":
        return ["list", { session: action.session, retentionMs: rules.retentionMs }];
    }
  }

  /**
   * What the Worker's routes do to bring a user's data back to an earlier moment; an operator repeats it where it fails. The
   * moments are those at which the user did something.
   */
  restore(user: string, moment: number, attempts = 8): void {
    const { storage } = this.#world.object(`${APP}:${user}`);
    const at = moment % Math.max(1, storage.snapshots.length);
    if (storage.snapshots.length === 0 || attempts === 0) return;
    const again = () => this.restore(user, at, attempts - 1);
    this.#step(
      user,
      "prepareRestore",
      [{ at, askedAt: this.#world.now() }],
      (prepared) => {
        if (!(prepared as RestoreOutcome).ok) return again();
        // It can only fail.
        this.#step(user, "restart", [], again, () => this.reconcile(user));
      },
      again,
    );
  }

  /** What the Worker's route does for an operator who reconciles, as often as needed. */
  reconcile(user: string): void {
    this.send(user, { do: "reconcile" }, Number.POSITIVE_INFINITY);
  }

  #step(user: string, method: string, args: unknown[], next: (value: unknown) => void, failed: () => void): void {
    this.#world.send(`${APP}:${user}`, method, args, (outcome) => (outcome.ok ? next(outcome.value) : failed()));
  }

  /** A line of another system's file. `session`: `null` where the file knows none. */
  item(token: PushToken, seenAt: number, session: Session | null): ImportItem {
    const of = session?.id ?? importSession(token.hash);
    const times = { registeredAt: seenAt, refreshedAt: seenAt, isDated: true, suspectAt: null };
    return { session: of, token, ...times, muted: false };
  }

  /** The slots that the last acknowledged registrations of a session named. */
  #tickets(user: string, session: Session, tokens: PushToken[]) {
    const acknowledged = this.oracle.operations.filter(
      ({ user: u, action }: Operation) => u === user && action.do === "register" && action.session.id === session.id,
    );
    return acknowledged
      .flatMap(({ answer }) => (answer?.value as { held?: { hash: string }[] } | undefined)?.held ?? [])
      .filter(({ hash }) => tokens.some((token) => token.hash === hash));
  }
}

/** When the session of that id began, epoch ms. */
function startOf(session: string): number {
  return Number(session.split("@")[1]);
}
