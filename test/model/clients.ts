// The clients and servers that call users' objects: what the Worker's routes send, with nothing in between.
import type { Policy, PushToken, Rules, Session } from "../../src/domain/registration.ts";
import { type Action, type Operation, Oracle } from "./oracle.ts";
import { APP, type Call, type Reply, type World } from "./world.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

export interface Setup {
  policy: Policy | "shared, then exclusive";
  /** `issued`: an auth token is its session. `jwt`: a session gets new ones. `cometchat`: they carry no trusted time. */
  identity: "issued" | "jwt" | "cometchat";
  /** Whether each registration is due for a refresh, or none is. */
  refreshes: boolean;
  /** Takeover limits that a schedule can meet: 1 per session, 2 per token. */
  limited: boolean;
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
  #sessionCount = 0;

  constructor(world: World, setup: Setup, registrationsMax: number) {
    this.#world = world;
    this.setup = setup;
    this.#policy = setup.policy === "exclusive" ? "exclusive" : "shared";
    this.oracle = new Oracle(world, {
      exclusive: setup.policy !== "shared",
      ...howSessionsEnd(setup),
      rules: this.rules,
      registrationsMax,
    });
    world.observe(this.oracle);
  }

  get rules(): Rules {
    return {
      policy: this.#policy,
      refreshWindowMs: this.setup.refreshes ? 0 : 7 * DAY_MS,
      retentionMs: 20 * DAY_MS,
      fenceMs: 2 * DAY_MS,
      takeoversPerSession: this.setup.limited ? 1 : 1000,
      takeoversPerToken: this.setup.limited ? 2 : 1000,
    };
  }

  /** From now on the app's policy is `exclusive`. */
  declareExclusive(): void {
    this.#policy = "exclusive";
  }

  /** The session of a login; one whose auth token is over logs in anew. */
  session(user: string, login: number): Session {
    const session = this.#sessions.get(`${user} ${login}`);
    if (session === undefined) return this.login(user, login);
    const now = this.#world.now();
    if (Number(session.id.split("@")[1]) + DAY_MS <= now) return this.login(user, login);
    return this.setup.identity === "jwt" ? { ...session, issuedAt: now } : session;
  }

  login(user: string, login: number): Session {
    const now = this.#world.now();
    const { trustedTime } = howSessionsEnd(this.setup);
    this.#sessionCount += 1;
    const session: Session = {
      id: `s${this.#sessionCount}@${now}`,
      issuedAt: trustedTime ? Math.max(now, this.#validFrom(user) + 1) : null,
      usableUntil: trustedTime ? now + DAY_MS : null,
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

  /** Sends what the Worker would send; a client that gets an error repeats it up to `repeats` times. */
  send(user: string, action: Action, repeats = 0): Call | null {
    const [method, ...args] = this.#request(user, action);
    if (method === undefined) return null;
    const answered = (outcome: Reply["outcome"]) => {
      if (!outcome.ok && repeats > 0) this.send(user, action, repeats - 1);
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
        const { id, issuedAt } = action.session;
        return ["endSession", { session: id, issuedAt, fenceUntil: this.#world.now() + rules.fenceMs, ...ending }];
      }
      case "endAllSessions":
      case "erase":
      case "reconcile":
        return [action.do, ending];
      case "unregister": {
        const slots = this.#tickets(user, action.session, action.tokens);
        return slots.length === 0 ? [] : ["unregister", { session: action.session.id, slots }];
      }
      case "feedback": {
        const { hash } = action.token;
        const at = this.#world.now() + 30 * DAY_MS;
        const report = { hash, code: "UNREGISTERED", verdict: "dead", at };
        return ["feedback", [report], rules.refreshWindowMs];
      }
      case "list":
        return ["list", { session: action.session, retentionMs: rules.retentionMs }];
    }
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
