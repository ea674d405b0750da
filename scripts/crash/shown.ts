// What lookups may show of some tokens, user by user. An acknowledged call leaves what its user's object held then, or later; a
// call whose reply is missing leaves what was shown before, or anything that it may have made of it.

export type Verdict = "fits" | "stale" | "missing";

export class Shown {
  /** uid → sets of tokens that may be shown, as JSON; of a user who is not in it, none are. */
  readonly #allowed = new Map<string, Set<string>>();

  /** These too. */
  allow(uid: string, tokens: readonly string[]): void {
    this.#allowed.set(uid, new Set([...(this.#allowed.get(uid) ?? [NOTHING]), textOf(tokens)]));
  }

  /** One of these, and nothing else. */
  set(uid: string, sets: readonly (readonly string[])[]): void {
    this.#allowed.set(uid, new Set(sets.map(textOf)));
  }

  /** From now on the token is shown for this user alone, if at all. */
  isOnlyOf(uid: string, token: string): void {
    for (const [other, sets] of this.#allowed) {
      if (other === uid) continue;
      const left = [...sets].filter((text) => !(JSON.parse(text) as string[]).includes(token));
      this.#allowed.set(other, new Set(left));
    }
  }

  knows(token: string): boolean {
    return [...this.#allowed.values()].some((sets) => [...sets].some((text) => JSON.parse(text).includes(token)));
  }

  /** `stale`: something is shown that is not allowed; `missing`: something is not that was promised. */
  judge(uid: string, tokens: readonly string[]): Verdict {
    const allowed = this.#allowed.get(uid) ?? new Set([NOTHING]);
    if (allowed.has(textOf(tokens))) return "fits";
    const sets = [...allowed].map((text) => JSON.parse(text) as string[]);
    return sets.some((set) => tokens.every((token) => set.includes(token))) ? "missing" : "stale";
  }

  tell(uid: string): string {
    return [...(this.#allowed.get(uid) ?? [NOTHING])].join(" or ");
  }
}

const NOTHING = "[]";

function textOf(tokens: readonly string[]): string {
  return JSON.stringify([...tokens].sort());
}
