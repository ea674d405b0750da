// What senders are told: lookups in the load and after each restart, compared with what clients were told before.
import type { Run } from "./run.ts";
import type { Shown } from "./shown.ts";

/** Tokens by uid. */
export type Served = ReadonlyMap<string, readonly string[]>;

export class Lookups {
  /** Users whose tokens were compared. */
  compared = 0;
  /** Of them, those of whom something was shown that an acknowledged call forbids, or not that one promised. */
  stale = 0;
  missing = 0;
  readonly #run: Run;

  constructor(run: Run) {
    this.#run = run;
  }

  /** What one lookup shows of these users; of each, tokens that are not muted. */
  async of(uids: readonly string[]): Promise<Served> {
    const { status, text } = await this.#run.counted("lookup", () =>
      this.#run.calls.asServer("POST", "/v3/push_tokens/lookup", { uids }),
    );
    const { users, errors } = status === 200 ? (JSON.parse(text).data as Reply) : { users: [], errors: [] };
    if (status !== 200 || errors.length > 0 || users.length !== uids.length) {
      this.#run.violations.push(`a lookup was answered ${status}: ${text.slice(0, 500)}`);
    }
    return new Map(users.map(({ uid, pushTokens }) => [uid, pushTokens.map(({ token }) => token)]));
  }

  judge(shown: Shown, uid: string, tokens: readonly string[], when: string): void {
    const verdict = shown.judge(uid, tokens);
    this.compared += 1;
    if (verdict === "fits") return;
    this[verdict] += 1;
    this.#run.violations.push(
      `${when} shows of ${uid} ${JSON.stringify(tokens)} (${verdict}); but only possible: ${shown.tell(uid)}`,
    );
  }
}

interface Reply {
  users: { uid: string; pushTokens: { token: string }[] }[];
  errors: unknown[];
}
