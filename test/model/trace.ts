// A known order of events that is told twice: with the rules of the protocol, and without each of those that it needs.
import { describe, it } from "vitest";
import { MUTATIONS, type Mutation } from "./mutations.ts";
import { type Runner, TOKENS } from "./schedule.ts";
import { runner } from "./search.ts";
import type { Story } from "./story.ts";
import { Violation } from "./world.ts";

export interface Trace {
  name: string;
  /** Without any of these the trace ends in a violation. */
  rules: Mutation[];
  /** `owner` of the first token. */
  tell(on: Runner): Promise<{ story: Story; ann?: string[]; bob?: string[]; owner: string[] }>;
}

export function describeTraces(traces: readonly Trace[], protocol: Runner): void {
  for (const { name, rules, tell } of traces) {
    describe(name, () => {
      it("breaks no promise", async ({ expect }) => {
        const { story, ann, bob, owner } = await tell(protocol);
        await story.rest();
        const tokens = (user: string) =>
          story
            .holds(user)
            .map(({ token }) => token)
            .sort();
        if (ann !== undefined) expect(tokens("ann")).toEqual(ann);
        if (bob !== undefined) expect(tokens("bob")).toEqual(bob);
        expect(story.owners(TOKENS[0] as (typeof TOKENS)[0])).toEqual(owner);
      });

      it.for(rules)("breaks one if %s", async (rule, { expect }) => {
        const mutant = await runner(MUTATIONS[rule]);
        await expect(async () => {
          const { story } = await tell(mutant);
          await story.rest();
        }).rejects.toThrow(Violation);
      });
    });
  }
}
