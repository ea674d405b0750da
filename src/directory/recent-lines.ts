// The lines that a directory object read last: a busy group is asked for again and again, and then without SQLite.
import { RECENT_LINES_CHARS_MAX } from "../limits.ts";

/** What an entry takes beside its text, about: that somebody has no row is remembered too. */
const ENTRY_CHARS = 100;

/** By uid, in two generations: what is asked for again goes over to the young one; when that one is full, the old one goes whole. */
export class RecentLines {
  #young = new Map<string, string>();
  #old = new Map<string, string>();
  /** Of the young generation. */
  #chars = 0;

  line(uid: string): string | undefined {
    const young = this.#young.get(uid);
    if (young !== undefined) return young;
    const old = this.#old.get(uid);
    if (old !== undefined) this.keep(uid, old);
    return old;
  }

  keep(uid: string, line: string): void {
    const chars = uid.length + line.length + ENTRY_CHARS;
    this.#chars += chars;
    if (this.#chars > RECENT_LINES_CHARS_MAX / 2) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#chars = chars;
    }
    this.#young.set(uid, line);
  }

  drop(uid: string): void {
    this.#young.delete(uid);
    this.#old.delete(uid);
  }
}
