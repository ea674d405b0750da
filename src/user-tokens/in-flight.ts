// Registrations under way: their turns, and what happens to each while it waits. Marks stand on the registration, not on the
// token: two registrations of the same token may be under way at once. Memory only; it ends with the object's instance.
import type { PushToken, Rules, Session } from "../domain/registration.ts";
import { Turns } from "../durable/turns.ts";

/** What lets a token be stored: the claim's version, and whether it is one under policy `exclusive` that nobody shares. */
export interface Grant {
  version: number;
  claimed: boolean;
}

/** What is put into a slot of a session. */
export interface Granted extends Grant {
  session: string;
  muted: boolean;
  /** Another user held or owned the token. */
  taken: boolean;
  rules: Rules;
  now: number;
}

export class Operation {
  readonly session: string;
  /** Grants by token hash: of the owner objects, or what the user held already. */
  readonly granted = new Map<string, Grant>();
  /** Versions by token hash of rows that went meanwhile; their owner objects are told when this has settled. */
  readonly owed = new Map<string, number>();
  /** The tokens that were another user's. */
  readonly taken: PushToken[] = [];
  /** Settles when the registration has: nothing more will be stored for it. */
  readonly settled: Promise<void>;
  readonly settle: () => void;
  readonly hashes: readonly string[];
  /** The highest version under which another user took the token meanwhile, by token hash. */
  readonly #released = new Map<string, number>();
  /** The highest version under which another user came to share the token meanwhile, by token hash. */
  readonly #shared = new Map<string, number>();
  /** Tokens that were removed meanwhile, by hash. */
  readonly #dropped = new Set<string>();
  #cancelled = false;

  constructor(session: Session, tokens: readonly PushToken[]) {
    this.session = session.id;
    this.hashes = tokens.map((token) => token.hash);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.settled = promise;
    this.settle = resolve;
  }

  /** Whether a logout, end, delete or erasure covered this registration: then nothing is stored. */
  get cancelled(): boolean {
    return this.#cancelled;
  }

  cancel(): void {
    this.#cancelled = true;
  }

  /** That token was removed from the session: it is not stored, the others are. */
  drop(hash: string): void {
    this.#dropped.add(hash);
  }

  concerns(hash: string): boolean {
    return this.hashes.includes(hash);
  }

  release(hash: string, version: number): void {
    if (this.concerns(hash)) raise(this.#released, hash, version);
  }

  share(hash: string, version: number): void {
    if (this.concerns(hash)) raise(this.#shared, hash, version);
  }

  /** What is left of the grant of that token now; `null`: nothing was granted, or the token was removed or taken since. */
  grantNow(hash: string): Grant | null {
    const grant = this.granted.get(hash);
    if (this.#dropped.has(hash)) return null;
    if (grant === undefined || (this.#released.get(hash) ?? 0) > grant.version) return null;
    return { ...grant, claimed: grant.claimed && (this.#shared.get(hash) ?? 0) <= grant.version };
  }
}

export class Operations {
  readonly #running = new Set<Operation>();
  readonly #turns = new Turns();

  get isEmpty(): boolean {
    return this.#running.size === 0;
  }

  begin(session: Session, tokens: readonly PushToken[]): Operation {
    const operation = new Operation(session, tokens);
    this.#running.add(operation);
    return operation;
  }

  /** From now on nothing can happen to it. */
  end(operation: Operation): void {
    this.#running.delete(operation);
  }

  /** Runs `work` when the work before it has ended: registrations, erasures and reconciliations of one user take turns. */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    return this.#turns.take("", work);
  }

  /** Cancels the registrations that `covers` covers; settles when each of them has. */
  async cancel(covers: (operation: Operation) => boolean): Promise<void> {
    const covered = [...this.#running].filter(covers);
    for (const operation of covered) operation.cancel();
    await Promise.all(covered.map((operation) => operation.settled));
  }

  /**
   * Nothing is stored for that token by registrations under way, of one session or (`null`) of any; settles when each of them
   * has.
   */
  async drop(session: string | null, hash: string): Promise<void> {
    const concerned = [...this.#running].filter(
      (operation) => (session ?? operation.session) === operation.session && operation.concerns(hash),
    );
    for (const operation of concerned) operation.drop(hash);
    await Promise.all(concerned.map((operation) => operation.settled));
  }

  /** Another user took the token under `version`. */
  release(hash: string, version: number): void {
    for (const operation of this.#running) operation.release(hash, version);
  }

  /** Another user shares the token since `version`. */
  share(hash: string, version: number): void {
    for (const operation of this.#running) operation.share(hash, version);
  }

  /** Whether the token of that hash is being registered; then those registrations owe its owner object the news of `version`. */
  owe(hash: string, version: number): boolean {
    const concerned = [...this.#running].filter((operation) => operation.concerns(hash));
    for (const operation of concerned) operation.owed.set(hash, version);
    return concerned.length > 0;
  }

  sessions(): string[] {
    return [...this.#running].map((operation) => operation.session);
  }

  hashes(): string[] {
    return [...this.#running].flatMap((operation) => operation.hashes);
  }
}

function raise(versions: Map<string, number>, hash: string, version: number): void {
  versions.set(hash, Math.max(version, versions.get(hash) ?? 0));
}
