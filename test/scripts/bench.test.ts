// What the benchmark asks of a product with an API of its own, and what it may put into the project.
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "vitest";
import { PARSE_API } from "../../bench/lib/parse-api.ts";
import { PROJECT } from "../../scripts/lib/workerd.ts";

describe("Parse Server in the benchmark", () => {
  const installation = (i: number) => ({
    objectId: `id-${i}`,
    deviceToken: `token-${i}`,
    user: { objectId: `user-${i % 2}` },
  });

  it("is read by user, and page by page as long as pages are full", ({ expect }) => {
    const reply = { results: [0, 1, 2].map(installation) };
    expect([...PARSE_API.found(reply)]).toEqual([
      ["user-0", ["token-0", "token-2"]],
      ["user-1", ["token-1"]],
    ]);
    expect(PARSE_API.cursorOf(reply, 3)).toBe("id-2");
    expect(PARSE_API.cursorOf(reply, 4)).toBeNull();
  });

  it("saves a phone of two users as one installation", ({ expect }) => {
    const saved = ["a", "b"].map((uid) =>
      JSON.parse(PARSE_API.phone({ uid, session: `${uid}-phone` }).register({ fcmToken: "T" }).body ?? ""),
    );
    expect(saved.map(({ installationId, user }) => [installationId, user.objectId])).toEqual([
      ["of-t", "a"],
      ["of-t", "b"],
    ]);
  });
});

describe("the lock files", () => {
  it("name no registry", ({ expect }) => {
    const paths = globSync("{,bench/subjects/*/}package-lock.json", { cwd: PROJECT });
    expect(paths.length).toBe(2);
    expect(paths.filter((path) => readFileSync(join(PROJECT, path), "utf8").includes('"resolved"'))).toEqual([]);
  });
});
