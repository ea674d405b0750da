// A registration under way. What happens to it while it waits is marked on it, not on the token: two registrations of the
// same token may be under way at once.
import type { Kind, PushToken, Session } from "../domain/registration.ts";

export class Operation {
  readonly session: string;
  /** Versions by token hash: what the owner objects granted, or what the user held already. */
  readonly granted = new Map<string, number>();
  /** Versions by token hash of rows that went meanwhile, and of which the owner object is told when this has settled. */
  readonly owed = new Map<string, number>();
  /** Hashes of the tokens that were another user's. */
  readonly taken = new Set<string>();
  /** Settles when the registration has: nothing more will be stored for it. */
  readonly settled: Promise<void>;
  readonly settle: () => void;
  readonly #tokens: readonly PushToken[];
  /** The highest version under which another user took the token meanwhile, by token hash. */
  readonly #released = new Map<string, number>();
  #cancelled = false;

  constructor(session: Session, tokens: readonly PushToken[]) {
    this.session = session.id;
    this.#tokens = tokens;
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

  get hashes(): string[] {
    return this.#tokens.map((token) => token.hash);
  }

  concerns(hash: string): boolean {
    return this.hashes.includes(hash);
  }

  release(kind: Kind, token: string, version: number): void {
    const mine = this.#tokens.find((t) => t.kind === kind && t.token === token);
    if (mine !== undefined) this.#released.set(mine.hash, Math.max(version, this.#released.get(mine.hash) ?? 0));
  }

  /** Whether another user took the token after `version` was granted. */
  isReleasedSince(hash: string, version: number): boolean {
    return (this.#released.get(hash) ?? 0) > version;
  }
}
