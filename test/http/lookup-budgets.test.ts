// What it may cost to read many users: calls of objects and rows, by SQLite's own counters.
import { describe, it } from "vitest";
import { DIRECTORY_OBJECTS } from "../../src/limits.ts";
import { serverCall, uniqueUid } from "../support/client.ts";
import { show } from "../support/directory.ts";
import { metered } from "../support/meter.ts";

const tokens = JSON.stringify([{ token: "x".repeat(142), kind: "fcm", platform: "web", refreshedAt: Date.now() }]);

async function shownUsers(count: number): Promise<string[]> {
  const uids = Array.from({ length: count }, uniqueUid);
  for (const uid of uids) await show("test", uid, { tokens });
  return uids;
}

const times = (count: number, call: string) => Array.from({ length: count }, () => call);

describe("the cost of", () => {
  it("a lookup is one call of each directory object, a row read per user, and no row written", async ({ expect }) => {
    const uids = await shownUsers(500);
    const lookup = (asked: string[]) =>
      metered(() => serverCall("POST", "/v3/push_tokens/lookup", { body: { uids: asked } }));
    const known = await lookup(uids);
    expect(known.calls).toEqual(times(DIRECTORY_OBJECTS, "Directory.lines"));
    expect(known.rowsRead).toBeLessThanOrEqual(500 + DIRECTORY_OBJECTS);
    expect(known.rowsWritten).toBe(0);
    const unknown = await lookup(Array.from({ length: 1000 }, uniqueUid));
    expect(unknown.calls).toEqual(times(DIRECTORY_OBJECTS, "Directory.lines"));
    expect(unknown.rowsRead).toBeLessThanOrEqual(1000 + DIRECTORY_OBJECTS);
    expect(unknown.rowsWritten).toBe(0);
    const one = await lookup(uids.slice(0, 1));
    expect(one.calls).toEqual(["Directory.lines"]);
  });

  it("a lookup of whom a directory object has just read is the same calls, and no row read", async ({ expect }) => {
    const uids = [...(await shownUsers(100)), ...Array.from({ length: 100 }, uniqueUid)];
    const lookup = () => metered(() => serverCall("POST", "/v3/push_tokens/lookup", { body: { uids } }));
    const [first, second] = [await lookup(), await lookup()];
    expect(first.rowsRead).toBeGreaterThanOrEqual(100);
    expect(second).toMatchObject({ calls: first.calls, rowsRead: 0, rowsWritten: 0 });
    const [changed = "", nobodyYet = ""] = [uids[7], uids[150]];
    for (const uid of [changed, nobodyYet]) await show("test", uid, { tokens: tokens.replace("xxx", "yyy") });
    const [gone = "", ...others] = uids.slice(0, 3);
    await show("test", gone, { registrations: 0 });
    const asked = [changed, nobodyYet, gone, ...others];
    const { body } = await serverCall("POST", "/v3/push_tokens/lookup", { body: { uids: asked } });
    const shown = body.data.users.map((user: { pushTokens: { token: string }[] }) =>
      user.pushTokens[0]?.token.slice(0, 4),
    );
    expect(shown).toEqual(["yyyx", "yyyx", undefined, "xxxx", "xxxx"]);
  });

  it("a page of all users is a row read per user and one per object, and so are the counts", async ({ expect }) => {
    await shownUsers(100);
    const page = await metered(() => serverCall("GET", "/v3/push_tokens?limit=100"));
    expect(page.calls.length).toBeLessThanOrEqual(DIRECTORY_OBJECTS);
    expect(new Set(page.calls)).toEqual(new Set(["Directory.page"]));
    expect(page.rowsRead).toBeLessThanOrEqual(100 + DIRECTORY_OBJECTS);
    expect(page.rowsWritten).toBe(0);
    let users = 0;
    const counts = await metered(async () => {
      users = (await serverCall("GET", "/v3/push_tokens/counts")).body.data.users;
    });
    expect(counts.calls).toEqual(times(DIRECTORY_OBJECTS, "Directory.count"));
    expect(counts.rowsRead).toBeLessThanOrEqual(users);
    expect(counts.rowsWritten).toBe(0);
  });
});
