// Knows what was promised. It follows the operations of clients and the calls between objects, and after every event compares
// what the objects hold with what they may and must hold. It knows versions only to compare a row with its owner entry.

import { importSession, type PushToken, type Rules, type Session } from "../../src/domain/registration.ts";
import type { ClaimOutcome, ClaimRequest, Marks } from "../../src/durable/claims.ts";
import type { DirectorySettings } from "../../src/durable/names.ts";
import { TAKEOVER_WINDOW_MS, UNCONFIRMED_FENCE_MS } from "../../src/limits.ts";
import type { ImportItem, ImportOutcome, RegisterOutcome } from "../../src/user-tokens/outcomes.ts";
import { Lookups } from "./lookups.ts";
import type { Row } from "./statements.ts";
import { APP, type Call, type ModelObject, type Observer, type Reply, Violation, type World } from "./world.ts";

export type Action =
  | { do: "register"; session: Session; tokens: PushToken[] }
  | { do: "remove"; session: Session; all: boolean }
  | { do: "unregister"; session: Session; tokens: PushToken[] }
  | { do: "endSession"; session: Session; onlyIfKnown?: boolean }
  | { do: "endAllSessions" }
  | { do: "reconcile" }
  | { do: "erase" }
  | { do: "feedback"; token: PushToken }
  | { do: "mute"; session: Session; muted: boolean }
  | { do: "show"; isKnown: boolean }
  | { do: "import"; items: ImportItem[] }
  | { do: "list"; session: Session };

/** One call of a client or server, from its request to its answer. Times are numbers of events. */
export interface Operation {
  user: string;
  action: Action;
  invokedAt: number;
  invokedAtMs: number;
  /** First arrival at the user's object; `null`: never, or only in turns that were undone. */
  arrivedAt: number | null;
  /** When the object answered it or lost it; `null`: it is under way. */
  finishedAt: number | null;
  /** It changed nothing: refused, or failed as a whole. */
  refused: boolean;
  /** The answer that reached the client; `null`: none yet, or an error. */
  answer: { ok: true; value: unknown } | null;
  /** By token hash: when the last claim was granted that the user's object knew of when it decided. */
  grantedAt: ReadonlyMap<string, number>;
}

interface HeldRow {
  session: string;
  kind: string;
  token: string;
  hash: string;
  version: number;
  claimed: boolean;
  muted: boolean;
  imported: boolean;
  refreshedAt: number;
}

interface OwnerRow {
  hash: string;
  user: string;
  version: number;
}

/** An acknowledged registration of one token: held from now on, or something later displaced it. */
interface Obligation {
  operation: Operation;
  session: Pick<Session, "id">;
  token: PushToken;
  /** When the device was seen, epoch ms. */
  seenAt: number;
}

export interface Promised {
  /** One owner per token, for what was registered under that policy. */
  exclusive: boolean;
  /** There is no other policy. */
  alwaysExclusive: boolean;
  /** Auth tokens carry a time that can be trusted. */
  trustedTime: boolean;
  /** A session may get another auth token. */
  sessionsOutliveTokens: boolean;
  rules: Rules;
  /** The most registrations of a user. */
  registrationsMax: number;
  /** Which directory objects are meant, at first. */
  directory: DirectorySettings;
}

export class Oracle implements Observer {
  readonly operations: Operation[] = [];
  readonly #world: World;
  readonly #promised: Promised;
  readonly #lookups: Lookups;
  readonly #byCall = new Map<Call, Operation>();
  readonly #rows = new Map<string, readonly HeldRow[]>();
  /** By owner object. */
  readonly #owners = new Map<string, readonly OwnerRow[]>();
  readonly #obligations = new Map<string, Obligation>();
  /** Sessions that are over, by id: since when, and by what, for messages. */
  readonly #ended = new Map<string, { at: number; how: string }>();
  /** By user: auth tokens that were issued until then are dead, epoch ms. */
  readonly #deadUntil = new Map<string, number>();
  /** By session: when its last auth token was issued, epoch ms. */
  readonly #issuedAt = new Map<string, number>();
  /** By `user session` and by `user`: when the last acknowledged removal of its slots arrived. */
  readonly #cleared = new Map<string, number>();
  /** By `user hash`: when the user last let go of it, epoch ms. No import of what was seen before brings it back. */
  readonly #gone = new Map<string, number>();
  /** By `user session hash`: when the last registration arrived. */
  readonly #attempted = new Map<string, number>();
  /** By `user hash`: when the last claim was granted whose reply reached the user's object. */
  readonly #granted = new Map<string, number>();
  /** The same of claims for devices, not for imports; and when the reply reached the user's object. */
  readonly #grantedToDevices = new Map<string, { sentAt: number; deliveredAt: number }>();
  /** By `user hash`: when the last release that arrived had been sent. */
  readonly #released = new Map<string, number>();
  /** The same of imports, which let go only of what an earlier import brought. */
  readonly #releasedImports = new Map<string, number>();
  /** What users held, and which sessions their objects knew, when the operation arrived. */
  readonly #heldAtArrival = new Map<Operation, readonly HeldRow[]>();
  /** The same after the turn of its arrival, of calls that mute. */
  readonly #heldOnceArrived = new Map<Operation, readonly HeldRow[]>();
  /** By operation: the grants that the user's object knew when it may have decided. */
  readonly #decided = new Map<Operation, ReadonlyMap<string, number>>();
  /** Calls that arrived while their user's object waited for the directory: what seems under way there may have been decided. */
  readonly #publishing = new Set<Operation>();
  /** By `user hash`: tokens of which an acknowledged erasure left no owner entry. */
  readonly #erased = new Map<string, number>();
  /** Users whose data went back to an earlier moment, and were not reconciled yet. */
  readonly #restoring = new Set<string>();
  /** By user: the tokens that were taken from others in the window that is open, or was, and the step at which each counted. */
  readonly #takeovers = new Map<string, { until: number; counted: Map<string, number> }>();
  /** By user: when the data last went back to an earlier moment. */
  readonly #restoredAt = new Map<string, number>();
  /** Users of whom an erasure may leave an owner entry, or wait for a restore and begin later than it arrives. */
  readonly #prepared = new Set<string>();
  /** Reconciliations that found marks of a restore. */
  readonly #afterRestore = new Set<Operation>();
  /** When the instance that served the operation was replaced: the next one does not know of it. */
  readonly #replaced = new Map<Operation, number>();
  /** Users whose counter a back end's erasure or restore deleted. */
  readonly #uncounted = new Set<string>();

  constructor(world: World, promised: Promised) {
    this.#world = world;
    this.#promised = promised;
    this.#lookups = new Lookups(world, promised.directory, promised.alwaysExclusive);
  }

  // What happens

  sent(call: Call, user: string, action: Action): Operation {
    const operation: Operation = {
      user,
      action,
      invokedAt: this.#world.step,
      invokedAtMs: this.#world.now(),
      arrivedAt: null,
      finishedAt: null,
      refused: false,
      answer: null,
      grantedAt: new Map(),
    };
    this.operations.push(operation);
    if ("session" in action) {
      const { id, issuedAt } = action.session;
      this.#issuedAt.set(id, Math.max(issuedAt ?? Number.POSITIVE_INFINITY, this.#issuedAt.get(id) ?? 0));
    }
    this.#byCall.set(call, operation);
    return operation;
  }

  writing(object: ModelObject): void {
    if (isOfUser(object)) this.#lookups.writing(object);
  }

  written(object: ModelObject): void {
    if (object.name.includes(":directory:")) this.#lookups.published(object);
    else if (isOfUser(object)) this.#lookups.written(object);
  }

  arrived(call: Call): void {
    const { step } = this.#world;
    if (this.#byCall.has(call) || call.method === "release") this.#lookups.arrived(call);
    if (call.method === "release" || call.method === "releaseImported") {
      const key = `${userOf(call.to)} ${call.args[0]}`;
      const asked = call.method === "release" ? this.#released : this.#releasedImports;
      asked.set(key, Math.max(call.sentAt, asked.get(key) ?? 0));
    }
    if (call.method === "prepareRestore") this.#prepared.add(userOf(call.to));
    const operation = this.#byCall.get(call);
    if (operation === undefined || operation.arrivedAt !== null) return;
    operation.arrivedAt = step;
    const { user, action } = operation;
    this.#heldAtArrival.set(operation, this.#rows.get(user) ?? []);
    if (action.do === "mute") this.#heldOnceArrived.set(operation, heldBy(call.to));
    if (this.#world.isWaitingFor(call.to, "put")) this.#publishing.add(operation);
    if (action.do === "erase") {
      this.#uncounted.add(user);
      // A claim that an earlier life of the object sent may still make an entry.
      const isFromBefore = ({ method, from }: Call) =>
        method === "claim" && from?.object === call.to && from.life !== call.to.life;
      if (this.#world.calls.some(isFromBefore)) this.#prepared.add(user);
    }
    if (action.do === "import") {
      for (const { token } of action.items) {
        this.#attempted.set(`${user} (import) ${token.hash}`, step);
        this.#erased.delete(`${user} ${token.hash}`);
      }
    }
    if (action.do !== "register") return;
    for (const token of action.tokens) {
      this.#attempted.set(`${user} ${action.session.id} ${token.hash}`, step);
      this.#erased.delete(`${user} ${token.hash}`);
    }
  }

  answered(call: Call, reply: Reply | null): void {
    if (call.method === "claim" && reply?.outcome.ok) {
      const { hash, user } = call.args[0] as ClaimRequest;
      const outcome = reply.outcome.value as ClaimOutcome;
      if (!outcome.ok && outcome.reason === "too_many_takeovers") {
        if (this.#formerOwners(call.to, hash).includes(user)) throw new Violation(`${user} may not take ${hash} back`);
        const countedAt = this.#takenBy(user).get(hash);
        if (countedAt !== undefined && countedAt < call.sentAt && !this.#uncounted.has(user))
          throw new Violation(`${user} was counted for ${hash}, and is refused it`);
      }
    }
    const operation = this.#byCall.get(call);
    if (operation === undefined) return;
    operation.finishedAt = this.#world.step;
    if (reply?.outcome.ok !== true) return;
    const outcome = reply.outcome.value as { ok?: boolean; reason?: string } | undefined;
    // Where another object did not answer in time, what was committed stands.
    operation.refused = outcome?.ok === false && outcome.reason !== "unavailable";
    if (outcome?.ok === true) this.#checkMuted(operation);
    operation.grantedAt = this.#decided.get(operation) ?? this.#grantsOf(operation);
  }

  #grantsOf(operation: Operation): ReadonlyMap<string, number> {
    const prefix = `${operation.user} `;
    const hashes = [...this.#granted.keys()].filter((key) => key.startsWith(prefix)).map(hashOf);
    return new Map(hashes.map((hash) => [hash, this.#grantOf(operation, hash)]));
  }

  /** When the last claim on which the operation may rely was granted: a registration that claimed relies on no import's claim. */
  #grantOf({ user, action, arrivedAt }: Operation, hash: string): number {
    const key = `${user} ${hash}`;
    const own = action.do === "register" ? this.#grantedToDevices.get(key) : undefined;
    if (own !== undefined && own.deliveredAt >= (arrivedAt ?? 0)) return own.sentAt;
    return this.#granted.get(key) ?? 0;
  }

  /** While an object waits for the directory, what it will answer may be decided; if it does not wait, nothing is. */
  #noteDecisions(object: ModelObject): void {
    const user = userOf(object);
    const underWay = this.operations.filter(
      (operation) => operation.user === user && operation.arrivedAt !== null && operation.finishedAt === null,
    );
    const isWaiting = underWay.length > 0 && this.#world.isWaitingFor(object, "put");
    for (const operation of underWay) {
      if (!isWaiting) this.#decided.delete(operation);
      // Of a token whose grant comes only now: the wait may be another operation's.
      else
        this.#decided.set(operation, new Map([...this.#grantsOf(operation), ...(this.#decided.get(operation) ?? [])]));
    }
  }

  delivered({ call, sentAt, outcome }: Reply): void {
    if (call.method === "claim" && call.from !== null && outcome.ok && (outcome.value as ClaimOutcome).ok) {
      const { hash, user, imported } = call.args[0] as ClaimRequest;
      const key = `${user} ${hash}`;
      this.#granted.set(key, Math.max(sentAt, this.#granted.get(key) ?? 0));
      if (imported === undefined) {
        const latest = Math.max(sentAt, this.#grantedToDevices.get(key)?.sentAt ?? 0);
        this.#grantedToDevices.set(key, { sentAt: latest, deliveredAt: this.#world.step });
      }
      if ((outcome.value as ClaimOutcome & { ok: true }).taken === "another_users") this.#taken(user, hash);
    }
    if (call.method === "release" && outcome.ok) this.#lookups.acknowledged(call);
    if (call.method === "marks" && outcome.ok && (outcome.value as Marks).kept !== null) this.#marksFound(call);
    const operation = this.#byCall.get(call);
    if (operation === undefined || !outcome.ok) return;
    operation.answer = outcome;
    if ((outcome.value as { ok?: boolean } | undefined)?.ok === false) return;
    this.#acknowledged(operation);
    this.#shownFromNowOn(call, operation);
    this.#check(operation.user);
    this.#lookups.check();
  }

  #marksFound({ from }: Call): void {
    for (const operation of this.operations) {
      const isUnderWay = operation.arrivedAt !== null && operation.finishedAt === null;
      const isOfUser = from !== null && userOf(from.object) === operation.user;
      if (operation.action.do === "reconcile" && isUnderWay && isOfUser) this.#afterRestore.add(operation);
    }
  }

  /** Each token counts once in the hour after the first. */
  #taken(user: string, hash: string): void {
    const counted = this.#takenBy(user);
    if (counted.size === 0) this.#takeovers.set(user, { until: this.#world.now() + TAKEOVER_WINDOW_MS, counted });
    if (!counted.has(hash)) counted.set(hash, this.#world.step);
    if (counted.size > this.#promised.rules.takeoversPerUser && !this.#uncounted.has(user))
      throw new Violation(`${user} took ${counted.size} tokens within the window`);
  }

  #takenBy(user: string): Map<string, number> {
    const window = this.#takeovers.get(user);
    return window === undefined || window.until <= this.#world.now() ? new Map() : window.counted;
  }

  #shownFromNowOn(call: Call, operation: Operation): void {
    const { action } = operation;
    // Reading acknowledges nothing.
    if (action.do === "list") return;
    this.#lookups.acknowledged(call);
    if (action.do !== "register") return;
    const { held = [] } = (operation.answer?.value ?? {}) as { held?: { hash: string }[] };
    // What was displaced before it was acknowledged is not named.
    const stored = action.tokens.filter(({ hash }) => held.some((slot) => slot.hash === hash));
    for (const { kind, token } of stored) this.#lookups.registered(call, { session: action.session.id, kind, token });
  }

  #acknowledged(operation: Operation): void {
    const { user, action, arrivedAt } = operation;
    if (arrivedAt === null) throw new Violation(`${action.do} was acknowledged, but never took effect`);
    const held = this.#heldAtArrival.get(operation) ?? [];
    switch (action.do) {
      case "register":
        for (const token of action.tokens) {
          if (isContested(operation, token)) continue;
          this.#obligations.set(`${user} ${action.session.id} ${token.hash}`, {
            operation,
            session: action.session,
            token,
            seenAt: operation.invokedAtMs,
          });
        }
        return;
      case "remove":
        this.#clear(action.all ? user : `${user} ${action.session.id}`, arrivedAt);
        return;
      case "endSession":
        if (action.onlyIfKnown === true && !isKnown(operation)) return;
        this.#clear(`${user} ${action.session.id}`, arrivedAt);
        this.#ended.set(action.session.id, { at: this.#world.now(), how: "logout" });
        return;
      case "endAllSessions":
        this.#clear(user, arrivedAt);
        this.#endAll(operation, held);
        return;
      case "reconcile":
        if (arrivedAt >= (this.#restoredAt.get(user) ?? -1)) this.#reconciled(user);
        return;
      case "erase":
        this.#clear(user, arrivedAt);
        this.#endAll(operation, held);
        for (const { hash } of this.#prepared.has(user) ? [] : held) {
          const attempts = [...this.#attempted].filter(([key]) => key.startsWith(`${user} `) && hashOf(key) === hash);
          if (attempts.every(([, at]) => at <= arrivedAt)) this.#erased.set(`${user} ${hash}`, arrivedAt);
        }
        return;
      case "import":
        for (const [i, { session, token, refreshedAt: seenAt }] of action.items.entries()) {
          if ((operation.answer?.value as ImportOutcome[] | undefined)?.[i] !== "imported") continue;
          this.#obligations.set(`${user} ${session} ${token.hash}`, {
            operation,
            session: { id: session },
            token,
            seenAt,
          });
        }
        return;
      case "mute":
      case "unregister":
      case "feedback":
      case "show":
      case "list":
        return;
    }
  }

  /** What the session held once the call had arrived; what comes later is muted like the rest of the session. */
  #checkMuted(operation: Operation): void {
    if (operation.action.do !== "mute") return;
    const { session, muted } = operation.action;
    const held = (this.#heldOnceArrived.get(operation) ?? []).filter((row) => row.session === session.id);
    const other = held.find((row) => row.muted !== muted);
    if (other !== undefined) throw new Violation(`${other.hash} is ${muted ? "not muted" : "still muted"}`);
  }

  #formerOwners(owners: ModelObject, hash: string): string[] {
    const fact = owners.storage.rows("facts").find((row) => row.fact === "window" && row.key === hash);
    return fact === undefined || Number(fact.until) <= this.#world.now() ? [] : JSON.parse(String(fact.value)).slice(1);
  }

  replaced(calls: ReadonlySet<Call>): void {
    for (const call of calls) {
      const operation = this.#byCall.get(call);
      if (operation !== undefined) this.#replaced.set(operation, this.#world.step);
    }
  }

  /** The user's data will be what they were: nothing is promised until the reconciliation. */
  restored(object: ModelObject): void {
    this.#restoring.add(userOf(object));
    for (const key of this.#gone.keys()) if (key.startsWith(`${userOf(object)} `)) this.#gone.delete(key);
    this.#rows.set(userOf(object), heldBy(object));
    this.#uncounted.add(userOf(object));
    this.#restoredAt.set(userOf(object), this.#world.step);
    this.#lookups.restored(object);
  }

  /** What was acknowledged since the restored moment is gone, but that sessions ended. */
  #reconciled(user: string): void {
    this.#restoring.delete(user);
    this.#lookups.reconciled(user);
    for (const key of this.#obligations.keys()) if (key.startsWith(`${user} `)) this.#obligations.delete(key);
    for (const key of this.#cleared.keys()) if (key.split(" ")[0] === user) this.#cleared.delete(key);
  }

  hasEnded(session: string): boolean {
    return this.#ended.has(session);
  }

  #clear(scope: string, arrivedAt: number): void {
    this.#cleared.set(scope, Math.max(arrivedAt, this.#cleared.get(scope) ?? 0));
  }

  /** Every auth token issued before, where that can be told; the sessions that the object knew, where that is not enough. */
  #endAll(operation: Operation, held: readonly HeldRow[]): void {
    const { user, invokedAtMs, action, arrivedAt } = operation;
    if (this.#promised.trustedTime) {
      const until = invokedAtMs - this.#world.behindMaxMs;
      this.#deadUntil.set(user, Math.max(until, this.#deadUntil.get(user) ?? 0));
      if (!this.#promised.sessionsOutliveTokens) return;
    }
    for (const other of this.operations) {
      if (other.user !== user || !("session" in other.action)) continue;
      const { id } = other.action.session;
      const isUnderWay =
        other.action.do === "register" &&
        other.arrivedAt !== null &&
        other.arrivedAt < (arrivedAt ?? 0) &&
        (other.finishedAt === null || other.finishedAt >= (arrivedAt ?? 0)) &&
        !other.refused &&
        (this.#replaced.get(other) ?? Number.POSITIVE_INFINITY) >= (arrivedAt ?? 0) &&
        !this.#publishing.has(operation);
      if (held.some((row) => row.session === id) || isUnderWay)
        this.#ended.set(id, { at: this.#world.now(), how: action.do });
    }
  }

  /** Other directory objects are meant from now on. */
  directoryRaised(directory: DirectorySettings): void {
    this.#lookups.raised(directory);
  }

  committed(object: ModelObject): void {
    this.#lookups.check();
    if (object.name.includes(":directory:")) return;
    if (object.name.includes(":owners:")) {
      this.#readOwners(object);
      for (const user of this.#rows.keys()) this.#checkOwners(user);
    } else {
      const user = userOf(object);
      const before = this.#rows.get(user) ?? [];
      this.#rows.set(user, heldBy(object));
      this.#noteGone(user, before);
      this.#noteDecisions(object);
      this.#check(user);
      this.#checkOwners(user);
    }
  }

  /** What the user let go of; and whether an import brought some of it back. */
  #noteGone(user: string, before: readonly HeldRow[]): void {
    const rows = this.#rows.get(user) ?? [];
    if (this.#restoring.has(user)) return;
    for (const { imported, hash, refreshedAt } of rows) {
      const goneAt = (this.#gone.get(`${user} ${hash}`) ?? 0) - this.#world.behindMaxMs;
      // Small limits are those of marks too.
      if (!imported || refreshedAt > goneAt || this.#promised.registrationsMax < Number.POSITIVE_INFINITY) continue;
      throw new Violation(`an import brought ${hash} back to ${user}: seen at ${refreshedAt}, gone at ${goneAt}`);
    }
    for (const { hash, refreshedAt } of before) {
      // What was not seen for long may come back with a file that saw it since.
      const isExpired = refreshedAt + this.#promised.rules.retentionMs <= this.#world.now();
      if (!isExpired && !rows.some((row) => row.hash === hash)) this.#gone.set(`${user} ${hash}`, this.#world.now());
    }
    // What an import brings beside an erasure came after it.
    for (const { imported, hash } of rows) {
      if (!imported || before.some((row) => row.hash === hash)) continue;
      this.#attempted.set(`${user} (import) ${hash}`, this.#world.step);
      this.#erased.delete(`${user} ${hash}`);
    }
  }

  #readOwners(object: ModelObject): void {
    const rows = object.storage.rows("owners");
    this.#owners.set(
      object.name,
      rows.map(({ hash, user, version }) => ({ hash: String(hash), user: String(user), version: Number(version) })),
    );
  }

  rowsOf(user: string): readonly HeldRow[] {
    return this.#rows.get(user) ?? [];
  }

  // What must hold

  #check(user: string): void {
    if (this.#restoring.has(user)) return;
    const rows = this.#rows.get(user) ?? [];
    const slots = new Set(rows.map((row) => `${row.session} ${row.kind}`));
    if (slots.size < rows.length) throw new Violation(`${user} has two registrations in one slot`);
    if (new Set(rows.map((row) => row.hash)).size < rows.length)
      throw new Violation(`${user} holds a token in two slots`);
    if (rows.length > this.#promised.registrationsMax) throw new Violation(`${user} has ${rows.length} registrations`);
    for (const row of rows) {
      const ended = this.#ended.get(row.session);
      // Where nothing says when an auth token ends, the mark of its session is kept that long, and no longer.
      if (ended !== undefined && this.#world.now() < ended.at + UNCONFIRMED_FENCE_MS)
        throw new Violation(`session ${row.session} of ${user} is over (${ended.how}) and holds ${row.hash}`);
      const issuedAt = row.imported ? row.refreshedAt : (this.#issuedAt.get(row.session) ?? 0);
      if (issuedAt <= (this.#deadUntil.get(user) ?? -1)) {
        throw new Violation(`session ${row.session} of ${user} was ended with all others and holds ${row.hash}`);
      }
      if (row.imported) continue;
      const attempted = this.#attempted.get(`${user} ${row.session} ${row.hash}`) ?? 0;
      const cleared = Math.max(this.#cleared.get(user) ?? 0, this.#cleared.get(`${user} ${row.session}`) ?? 0);
      if (attempted <= cleared) {
        throw new Violation(
          `${user} holds ${row.hash} in ${row.session}: removed at ${cleared}, registered at ${attempted}`,
        );
      }
    }
    for (const session of slots.size === 0 ? [] : new Set(rows.map((row) => row.session))) {
      const states = new Set(rows.filter((row) => row.session === session).map((row) => row.muted));
      if (states.size > 1) throw new Violation(`session ${session} of ${user} is muted in one slot only`);
    }
    for (const [key, obligation] of this.#obligations) {
      if (obligation.operation.user !== user) continue;
      const { session, token } = obligation;
      const sessions = [session.id];
      // Where a session of the file may be one that ended, the token is in one of its own.
      if (obligation.operation.action.do === "import") sessions.push(importSession(token.hash));
      if (rows.some((row) => sessions.includes(row.session) && row.hash === token.hash && row.token === token.token))
        continue;
      if (!this.#isExplained(obligation)) {
        throw new Violation(
          `${user} lost ${token.hash} of ${session.id}, acknowledged, and nothing later displaced it`,
        );
      }
      this.#obligations.delete(key);
    }
  }

  #isExplained({ operation, session, token, seenAt }: Obligation): boolean {
    const { user, arrivedAt, grantedAt } = operation;
    const isImported = operation.action.do === "import";
    // Another user's claim, begun after this user's own was granted.
    const key = `${user} ${token.hash}`;
    const released = Math.max(this.#released.get(key) ?? -1, isImported ? (this.#releasedImports.get(key) ?? -1) : -1);
    if (released >= (grantedAt.get(token.hash) ?? this.#grantOf(operation, token.hash))) return true;
    if ((arrivedAt ?? 0) <= (this.#restoredAt.get(user) ?? -1)) return true;
    const { retentionMs, refreshWindowMs } = this.#promised.rules;
    if (this.#world.now() >= seenAt + retentionMs - refreshWindowMs) return true;
    return this.operations.some(
      (other) =>
        other !== operation &&
        other.arrivedAt !== null &&
        !other.refused &&
        (other.finishedAt === null || other.finishedAt >= (arrivedAt ?? 0)) &&
        (other.action.do === "import"
          ? isImported && takesImported(other.action.items, other.user === user ? session.id : null, token)
          : other.user === user && this.#displaces(other, session, token)),
    );
  }

  #displaces(operation: Operation, session: Pick<Session, "id">, token: PushToken): boolean {
    const { action } = operation;
    switch (action.do) {
      case "register": {
        const sameSession = action.session.id === session.id;
        const sameInstallation = action.tokens.some((t) => t.hash === token.hash);
        const other = action.tokens.some((t) => t.kind === token.kind && t.token !== token.token);
        if (!sameSession && this.#promised.registrationsMax < Number.POSITIVE_INFINITY) return true; // evicted
        return sameSession ? other : sameInstallation;
      }
      case "remove":
        return action.all || action.session.id === session.id;
      case "endSession":
        return action.session.id === session.id;
      case "import":
        return false;
      case "unregister":
        return action.session.id === session.id && action.tokens.some((t) => t.hash === token.hash);
      case "feedback":
        // A report about another form of the token prunes nothing.
        return action.token.hash === token.hash && action.token.token === token.token;
      case "endAllSessions":
      case "erase":
        return true;
      // After a restore, what was registered since it began goes.
      case "reconcile":
        return this.#afterRestore.has(operation);
      case "mute":
      case "show":
      case "list":
        return false;
    }
  }

  #checkOwners(user: string): void {
    if (this.#promised.exclusive && !this.#restoring.has(user)) {
      for (const row of this.#rows.get(user) ?? []) {
        if (!row.claimed) continue;
        for (const [other, rows] of this.#rows) {
          if (other === user || this.#restoring.has(other)) continue;
          if (rows.some((r) => r.hash === row.hash)) {
            throw new Violation(`${user} has claimed ${row.hash}, and ${other} holds it`);
          }
        }
        const entries = this.#entries(row.hash);
        const entry = entries.find((e) => e.user === user);
        if (entries.length > 1)
          throw new Violation(`${row.hash} is claimed and has ${entries.length} owners on record`);
        if (entry === undefined || entry.version < row.version) {
          const owner = entries[0];
          const found = owner === undefined ? "nobody" : `${owner.user} (version ${owner.version})`;
          throw new Violation(`${user} holds ${row.hash} (version ${row.version}), but ${found} owns it on record`);
        }
      }
    }
    for (const key of this.#erased.keys()) {
      const [owner, hash] = key.split(" ");
      if (this.#entries(hash ?? "").some((entry) => entry.user === owner)) {
        throw new Violation(`${owner} was erased, but still owns ${hash} on record`);
      }
    }
  }

  #entries(hash: string): OwnerRow[] {
    return [...this.#owners.values()].flatMap((rows) => rows.filter((row) => row.hash === hash));
  }

  /** At rest: nothing is on its way. */
  rest(): void {
    for (const [call, operation] of this.#byCall) {
      // Its Worker gives up on an object that a restore was left prepared at; an operator repeats that.
      if (this.#prepared.has(operation.user)) continue;
      if (!call.settled) throw new Violation(`${operation.action.do} of ${operation.user} was never answered`);
    }
    for (const user of this.#rows.keys()) {
      this.#check(user);
      this.#checkOwners(user);
    }
    this.#lookups.check();
    this.#lookups.rest();
  }
}

/** Whether a later import may take what an import brought: the installation, or its slot, where it is of the same user. */
function takesImported(items: readonly ImportItem[], session: string | null, { hash, kind }: PushToken): boolean {
  return items.some((item) => item.token.hash === hash || (item.session === session && item.token.kind === kind));
}

function isOfUser({ name }: ModelObject): boolean {
  return !name.includes(":", APP.length + 1);
}

function userOf(object: ModelObject): string {
  return object.name.slice(APP.length + 1);
}

/** The last word of a key. */
function hashOf(key: string): string {
  return key.slice(key.lastIndexOf(" ") + 1);
}

function heldBy({ storage }: ModelObject): readonly HeldRow[] {
  return storage.registrations(toHeldRows);
}

function toHeldRows(rows: readonly Row[]): readonly HeldRow[] {
  return rows.map(toHeldRow);
}

function toHeldRow(row: Row): HeldRow {
  return {
    session: String(row.session),
    kind: String(row.kind),
    token: String(row.token),
    hash: String(row.hash),
    version: Number(row.version),
    claimed: row.claimed === 1,
    muted: row.muted === 1,
    imported: row.imported === 1,
    refreshedAt: Number(row.refreshed_at),
  };
}

/** Whether the session was one that the user's object knew. */
function isKnown({ answer }: Operation): boolean {
  return (answer?.value as { known: boolean } | undefined)?.known === true;
}

/** Whether the answer named the token as one that could not be stored. */
function isContested({ answer }: Operation, { kind }: PushToken): boolean {
  const outcome = answer?.value as RegisterOutcome | undefined;
  return outcome?.ok === true && outcome.contested.some((token) => token.kind === kind);
}
