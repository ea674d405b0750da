// The search finds what it is there for: each mutation takes one rule out of the protocol.
import { describe, it } from "vitest";
import { MUTATIONS, type Mutation } from "./mutations.ts";
import { loadProtocol } from "./native.ts";
import { runner, search } from "./search.ts";

const SEED = 20_260_717;

describe("the search", () => {
  // Those that few schedules suffice for; traces.test.ts, directory-traces.test.ts and import-traces.test.ts have one for each.
  const QUICK: Mutation[] = [
    "a registration does not look again for releases",
    "a registration does not look again for removals",
    "a removal does not cancel the registrations under way",
    "a token is granted before it is released",
    "a release that is not answered counts as done",
    "claims of one token do not take turns",
    "an erasure does not wait for owner objects",
    "a logout leaves no fence",
    "an unchanged registration does not wait for the directory",
    "a release without a row does not wait for the directory",
    "the directory compares no versions",
    "what the directory refuses counts as published",
    "an import takes what another user's device registered",
    "an import brings back what went",
  ];

  it.for(QUICK)("finds out that %s", async (mutation, { expect }) => {
    const found = await search(await runner(MUTATIONS[mutation]), { runs: 2_000, seed: SEED, shrink: false });
    expect(found?.violation).toBeDefined();
  });

  it("runs the same schedule again from its seed", async ({ expect }) => {
    const subject = await runner(MUTATIONS["a logout leaves no fence"]);
    const first = await search(subject, { runs: 2_000, seed: SEED, shrink: false });
    const again = await search(subject, { runs: 1, seed: SEED, path: first?.path, shrink: false });
    expect(again?.events).toEqual(first?.events);
  });

  it("refuses a mutation whose line is no longer there", async ({ expect }) => {
    const edit = { file: "token-owners/token-owners.do.ts", find: "no such line", replace: "" };
    await expect(async () => await loadProtocol([edit])).rejects.toThrow("does not hold exactly once: no such line");
  });
});
