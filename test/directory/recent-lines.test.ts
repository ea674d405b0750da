import { describe, it } from "vitest";
import { RecentLines } from "../../src/directory/recent-lines.ts";
import { RECENT_LINES_CHARS_MAX } from "../../src/limits.ts";

describe("the lines that were read last", () => {
  const line = "x".repeat(1000);

  it("are no more than they may be, and those that are asked for stay", ({ expect }) => {
    const recent = new RecentLines();
    recent.keep("busy", line);
    const uids = Array.from({ length: (10 * RECENT_LINES_CHARS_MAX) / line.length }, (_, i) => `user-${i}`);
    for (const uid of uids) {
      recent.keep(uid, line);
      recent.line("busy");
    }
    const kept = uids.filter((uid) => recent.line(uid) !== undefined);
    expect(kept.length * line.length).toBeLessThanOrEqual(RECENT_LINES_CHARS_MAX);
    expect(kept.length * line.length).toBeGreaterThan(RECENT_LINES_CHARS_MAX / 4);
    expect(recent.line("busy")).toBe(line);
  });

  it("are few enough where they say only that somebody has no row", ({ expect }) => {
    const recent = new RecentLines();
    const uids = Array.from({ length: 100_000 }, (_, i) => `u${i}`);
    for (const uid of uids) recent.keep(uid, "");
    expect(uids.filter((uid) => recent.line(uid) !== undefined).length).toBeLessThan(RECENT_LINES_CHARS_MAX / 100);
  });

  it("are dropped wherever they stand", ({ expect }) => {
    const recent = new RecentLines();
    recent.keep("ann", line);
    for (let i = 0; i < RECENT_LINES_CHARS_MAX / 2 / line.length; i += 1) recent.keep(`user-${i}`, line);
    recent.keep("ann", "later");
    recent.drop("ann");
    expect(recent.line("ann")).toBeUndefined();
  });

  it("say too that somebody has no row", ({ expect }) => {
    const recent = new RecentLines();
    recent.keep("nobody", "");
    expect(recent.line("nobody")).toBe("");
  });
});
