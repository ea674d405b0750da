// Promises 2 and 10: what keeps ended sessions out, and that nothing ever makes it end earlier.
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import fc from "fast-check";
import { afterEach, describe, it, vi } from "vitest";
import { howSessionsEnd, type Identity } from "../../src/domain/identity.ts";
import type { Rules, Session } from "../../src/domain/registration.ts";
import type { Marks } from "../../src/durable/claims.ts";
import { DAY_MS, HOUR_MS } from "../../src/limits.ts";
import type { FenceRule } from "../../src/user-tokens/outcomes.ts";
import { JWT_APPS } from "../support/apps.ts";
import { uniqueToken, uniqueUid } from "../support/client.ts";
import { pushToken, userObject } from "../support/objects.ts";
import { configure, envWith, rulesWith } from "../support/settings.ts";

const APPS = { issued: "test", jwt: "jwt-secret", cometchat: "chat" } as const;

/** Settings under which the longest session of the app has so many days. */
function settingsOf(identity: Identity, days: number): object {
  if (identity === "issued") return { authTokens: { defaultSeconds: 3600, maximumSeconds: days * 86_400 } };
  return identity === "jwt" ? { jwt: { ...JWT_APPS.SECRET?.jwt, maximumSessionDays: days } } : {};
}

/** The object of a user whose app has the longest session of so many days, and what the Worker does with it. */
class User {
  readonly uid = uniqueUid();
  readonly identity: Identity;
  readonly object: Awaited<ReturnType<typeof userObject>>;
  rules: Rules;
  now: number;

  private constructor(identity: Identity, object: Awaited<ReturnType<typeof userObject>>, days: number) {
    this.identity = identity;
    this.object = object;
    this.rules = rulesWith(APPS[identity], settingsOf(identity, days));
    this.now = Date.now();
    this.pass(0);
  }

  static async start(identity: Identity, days = 90): Promise<User> {
    const user = new User(identity, await userObject(APPS[identity], uniqueUid()), days);
    await user.configure(days);
    return user;
  }

  async configure(days: number): Promise<void> {
    const settings = settingsOf(this.identity, days);
    this.rules = rulesWith(APPS[this.identity], settings);
    await configure(this.object, envWith(APPS[this.identity], settings));
  }

  pass(ms: number): void {
    this.now += ms;
    vi.useFakeTimers({ toFake: ["Date"], now: this.now });
  }

  /** A session that began now; its auth tokens last as long as the app allows. */
  session(id: string = crypto.randomUUID()): Session {
    const isTrusted = howSessionsEnd(this).trustedTime;
    return { id, issuedAt: isTrusted ? this.now : null, usableUntil: null };
  }

  async register(session: Session): Promise<boolean> {
    const tokens = [await pushToken(uniqueToken())];
    return (await this.object.register({ uid: this.uid, session, tokens, rules: this.rules })).ok;
  }

  /** A logout, by an auth token that ends at `usableUntil`. */
  async logOut({ id, issuedAt }: Session, usableUntil: number | null = null): Promise<void> {
    const fence = { ms: this.rules.fenceMs, atLeastUntil: usableUntil, open: false };
    await this.object.endSession({ session: id, issuedAt, fence, ...howSessionsEnd(this) });
  }

  /** The end of a session by a back end, which knows nothing of its auth token. */
  async end({ id }: Session): Promise<void> {
    const fence = { ms: this.rules.fenceMs, open: !howSessionsEnd(this).trustedTime };
    await this.endBy(id, fence);
  }

  async endBy(session: string, fence: FenceRule): Promise<void> {
    await this.object.endSession({ session, issuedAt: null, fence, ...howSessionsEnd(this) });
  }

  async endAll(fencesUntil?: number): Promise<void> {
    const flush = fencesUntil === undefined ? {} : { fencesUntil };
    await this.object.endAllSessions({ rules: this.rules, ...howSessionsEnd(this), ...flush });
  }

  async erase(): Promise<boolean> {
    return (await this.object.erase({ uid: this.uid, rules: this.rules, ...howSessionsEnd(this) })).ok;
  }

  /** Runs the alarm, at its time or, if that is still to come and `early`, now. */
  async alarm({ early = false } = {}): Promise<void> {
    const at = await runInDurableObject(this.object, (_, { storage }) => storage.getAlarm());
    if (at === null) return;
    if (!early) this.pass(Math.max(0, at - this.now));
    await runDurableObjectAlarm(this.object);
  }

  /** All alarms until `ms` from now. */
  async live(ms: number): Promise<void> {
    const end = this.now + ms;
    for (;;) {
      const at = await runInDurableObject(this.object, (_, { storage }) => storage.getAlarm());
      if (at === null || at > end) break;
      await this.alarm();
    }
    this.pass(end - this.now);
  }

  async isOut(session: Session): Promise<boolean> {
    return !(await this.object.check(session)).ok;
  }

  marks(): Promise<Marks> {
    return this.object.marks() as Promise<Marks>;
  }

  async until({ id }: Session): Promise<number | undefined> {
    return (await this.marks()).fences.find(({ session }) => session === id)?.until;
  }
}

afterEach(() => {
  vi.useRealTimers();
});

describe("a mark ends no earlier than it was set to end", () => {
  it("by ending all sessions again after the longest session was made shorter", async ({ expect }) => {
    const user = await User.start("issued", 90);
    const session = user.session();
    await user.register(session);
    await user.endAll();
    await user.configure(1);
    await user.live(3 * DAY_MS);
    await user.endAll();
    await user.live(37 * DAY_MS);
    expect(await user.isOut(session)).toBe(true);
    await user.live(60 * DAY_MS);
    expect(await user.marks()).toMatchObject({ fences: [], validFrom: null });
  });

  it("by an erasure after the longest session was made shorter, which takes the fence over", async ({ expect }) => {
    const user = await User.start("issued", 90);
    const session = user.session();
    await user.register(session);
    await user.logOut(session, user.now + 90 * DAY_MS);
    await user.configure(1);
    await user.live(3 * DAY_MS);
    expect(await user.erase()).toBe(true);
    expect((await user.marks()).fences).toEqual([]);
    await user.live(37 * DAY_MS);
    expect(await user.isOut(session)).toBe(true);
    expect(await user.register(session)).toBe(false);
    await user.live(60 * DAY_MS);
    expect(await user.marks()).toMatchObject({ fences: [], validFrom: null });
  });

  it.for(["issued", "jwt"] as const)(
    "by a longest session that was made longer after the end (identity %s)",
    async (identity, { expect }) => {
      // One mark each: either would hide that the other has gone.
      const [fenced, dated] = [await User.start(identity, 7), await User.start(identity, 7)];
      const [one, other] = [fenced.session(), dated.session()];
      await fenced.logOut(one);
      await dated.endAll();
      for (const [user, session] of [
        [fenced, one],
        [dated, other],
      ] as const) {
        await user.configure(90);
        await user.live(80 * DAY_MS);
        expect(await user.isOut(session)).toBe(true);
        await user.live(20 * DAY_MS);
        expect(await user.marks()).toMatchObject({ fences: [], validFrom: null });
      }
    },
  );

  it("by a back end that ends the session after its logout, under a shorter rule", async ({ expect }) => {
    const user = await User.start("jwt", 90);
    const session = user.session();
    await user.logOut(session, user.now + 90 * DAY_MS);
    const until = await user.until(session);
    await user.configure(7);
    user.pass(DAY_MS);
    await user.end(session);
    await user.endAll();
    expect(await user.until(session)).toBe(until);
    expect(await user.isOut(session)).toBe(true);
  });

  it("by a longer rule of the same end, which makes it longer", async ({ expect }) => {
    const user = await User.start("jwt", 7);
    const session = user.session();
    await user.end(session);
    const until = Number(await user.until(session));
    await user.logOut(session, user.now + 30 * DAY_MS);
    expect(await user.until(session)).toBe(Math.max(until, user.now + 30 * DAY_MS));
  });

  it("by CometChat's word that the auth token is dead, said once more or after any other end", async ({ expect }) => {
    const user = await User.start("cometchat");
    const session = user.session();
    const [confirmed, guessed] = [
      { ms: 2 * HOUR_MS, open: false },
      { ms: user.rules.fenceMs, open: true },
    ];
    await user.endBy(session.id, guessed);
    expect(await user.until(session)).toBe(user.now + user.rules.fenceMs);
    user.pass(DAY_MS);
    await user.endBy(session.id, guessed);
    // The one mark without an end of its own gets one: until now the auth token may have been taken for alive.
    await user.endBy(session.id, confirmed);
    const until = user.now + 2 * HOUR_MS;
    expect(await user.until(session)).toBe(until);
    for (const fence of [confirmed, guessed, { ms: HOUR_MS, open: false }]) {
      user.pass(1000);
      await user.endBy(session.id, fence);
      expect(await user.until(session)).toBe(until);
    }
  });

  it("but by the declared flush of CometChat's auth tokens, which makes none longer", async ({ expect }) => {
    const user = await User.start("cometchat");
    const [ended, dead, known] = [user.session(), user.session(), user.session()];
    await user.end(ended);
    await user.endBy(dead.id, { ms: HOUR_MS, open: false });
    await user.register(known);
    const before = await user.until(dead);
    await user.endAll(user.now + 2 * HOUR_MS);
    expect(await user.until(dead)).toBe(before);
    expect([await user.until(ended), await user.until(known)]).toEqual([
      user.now + 2 * HOUR_MS,
      user.now + 2 * HOUR_MS,
    ]);
    user.pass(60_000);
    await user.endAll(user.now + 2 * HOUR_MS);
    expect(await user.until(ended)).toBe(user.now + 2 * HOUR_MS - 60_000);
  });
});

type Step =
  | { do: "log in" | "register" | "log out" | "end" | "confirm"; session: number }
  | { do: "end all" | "flush" | "erase" | "evict" | "remember marks" | "add marks" }
  | { do: "alarm"; early: boolean }
  | { do: "configure"; days: number }
  | { do: "pass"; hours: number };

/** Of each identity: 30 take some seven seconds. */
const RUNS = 30;
const SESSIONS = 4;
const session = fc.nat(SESSIONS - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constantFrom("log in", "register", "log out", "end", "confirm"), session }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom("end all", "flush", "erase", "evict") }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("remember marks", "add marks") }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("alarm" as const), early: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("configure" as const), days: fc.constantFrom(1, 7, 30, 90) }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant("pass" as const), hours: fc.constantFrom(0, 1, 30, 24 * 6, 24 * 40) }),
  },
);

/** A session's end as the promise has it: until `guard` it stays out, and for as long as the app lets sessions live by now. */
interface Ended {
  at: number;
  guard: number;
  isPast: boolean;
  /** CometChat called its auth token dead, or accepts none of that time. */
  dead: boolean;
}

/** What must hold, beside the real object. */
class Promised {
  readonly user: User;
  readonly sessions: Session[];
  readonly ended = new Map<string, Ended>();
  remembered: Marks | undefined;

  constructor(user: User) {
    this.user = user;
    this.sessions = Array.from({ length: SESSIONS }, () => user.session());
  }

  async play(step: Step): Promise<void> {
    const { user } = this;
    const session = "session" in step ? this.sessions[step.session] : undefined;
    switch (step.do) {
      case "log in":
        if ("session" in step) this.sessions[step.session] = user.session();
        break;
      case "register":
        if (session !== undefined) await user.register(session);
        break;
      case "log out":
      case "end":
      case "confirm":
        if (session !== undefined) await this.#end(session, step.do);
        break;
      case "end all":
      case "flush":
      case "erase":
        await this.#endAll(step.do);
        break;
      case "evict":
        await evictDurableObject(user.object);
        break;
      case "alarm":
        await user.alarm(step);
        break;
      case "pass":
        user.pass(step.hours * HOUR_MS);
        break;
      case "configure":
        this.days = step.days;
        break;
      case "remember marks":
        this.remembered = await user.marks();
        break;
      case "add marks":
        if (this.remembered !== undefined) await user.object.keepMarks(this.remembered, 0);
        break;
    }
    // An eviction forgets the settings that were put into the instance.
    await user.configure(this.days);
    for (const ended of this.ended.values()) {
      // Once no auth token of it could live, by the rule of its end and by the one of now, its marks may be gone.
      if (user.now >= Math.max(ended.guard, ended.at + user.rules.sessionMs)) ended.isPast = true;
    }
  }

  days = 30;

  async #end(session: Session, how: "log out" | "end" | "confirm"): Promise<void> {
    const { user } = this;
    const { now } = user;
    if (user.identity !== "cometchat") {
      const usableUntil = now + user.rules.fenceMs;
      if (how === "end") await user.end(session);
      else await user.logOut(session, usableUntil);
      this.#guard(session, how === "end" ? 0 : usableUntil);
    } else if (how === "confirm") {
      const isDead = this.ended.get(session.id)?.dead === true;
      await user.endBy(session.id, { ms: 2 * HOUR_MS, open: false });
      if (!isDead) this.ended.set(session.id, { at: now, guard: now + 2 * HOUR_MS, isPast: false, dead: true });
    } else {
      await user.end(session);
      this.#guard(session);
    }
  }

  async #endAll(how: "end all" | "flush" | "erase"): Promise<void> {
    const { user } = this;
    const { now } = user;
    const holding = new Set((await user.object.export()).registrations.map((row) => row.session));
    const isFlush = how === "flush" && user.identity === "cometchat";
    if (how === "erase") await user.erase();
    else await user.endAll(isFlush ? now + 2 * HOUR_MS : undefined);
    for (const session of this.sessions) {
      if (howSessionsEnd(user).trustedTime) this.#guard(session, now + user.rules.fenceMs);
      else if (holding.has(session.id)) this.#guard(session);
    }
    if (!isFlush) return;
    for (const ended of this.ended.values()) {
      ended.guard = Math.min(ended.guard, now + 2 * HOUR_MS);
      ended.dead = true;
    }
  }

  /** The session has ended, now or before: it stays out for the longest session from then on, and at least until `until`. */
  #guard({ id }: Session, until = 0): void {
    const before = this.ended.get(id);
    if (before?.dead === true) return;
    const { now, rules } = this.user;
    const stands = before !== undefined && !before.isPast;
    const at = stands ? before.at : now;
    const guard = Math.max(stands ? before.guard : 0, at + rules.fenceMs, until);
    this.ended.set(id, { at, guard, isPast: false, dead: false });
  }
}

/** What of `before` ends earlier in `after` than it should. */
function shortened(before: Marks, after: Marks, now: number): unknown[] {
  const { validFrom } = before;
  const wrong: unknown[] = [];
  if (validFrom !== null && validFrom.until > now) {
    const is = after.validFrom ?? { at: 0, until: 0 };
    if (is.at < validFrom.at || is.until < validFrom.until) wrong.push({ validFrom, is });
  }
  for (const fence of before.fences) {
    if (fence.until <= now || fence.open) continue;
    const is = after.fences.find(({ session }) => session === fence.session);
    // An erasure may hand it over to the timestamp.
    const heir = after.validFrom !== null && after.validFrom.at >= fence.issuedAt ? after.validFrom.until : 0;
    if ((is?.until ?? heir) < fence.until) wrong.push({ fence, is });
  }
  return wrong;
}

describe("whatever happens in whatever order", () => {
  it.for(["issued", "jwt", "cometchat"] as const)(
    "no mark ends earlier and no ended session gets in (identity %s)",
    { timeout: 120_000 },
    async (identity, { expect }) => {
      const property = fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 25 }), async (steps) => {
        vi.useRealTimers();
        const user = await User.start(identity, 30);
        const promised = new Promised(user);
        for (const [i, each] of steps.entries()) {
          const before = await user.marks();
          await promised.play(each);
          const after = await user.marks();
          const isFlush = each.do === "flush" && identity === "cometchat";
          if (!isFlush) expect(shortened(before, after, user.now), `step ${i}`).toEqual([]);
          for (const known of promised.sessions) {
            const ended = promised.ended.get(known.id);
            if (ended === undefined || ended.isPast) continue;
            expect(await user.isOut(known), `step ${i}, ${JSON.stringify({ known, ended, now: user.now })}`).toBe(true);
          }
        }
      });
      await fc.assert(property, { numRuns: RUNS });
    },
  );
});
