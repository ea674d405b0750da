// The scenarios that the clients of all languages are held to, played with public/client.js.
import { describe, it } from "vitest";
import { CLIENT, FILES, play } from "./vectors.ts";

describe.for(FILES)("clients/vectors/$file", ({ scenarios }) => {
  it.for(scenarios)("$name", async (scenario, { expect }) => {
    expect(await play(scenario)).toBeNull();
  });
});

/** Promises of the client taken out, one each, and a scenario that misses it. */
const BROKEN = [
  ["age < HOUR", "age < HOUR - 1", "an unchanged launch is free for an hour, then it is one request"],
  ["age >= 0 &&", "", "a clock that was set back does not silence the launches"],
  ["status === 401 ?", "status === 402 ?", "a 401 is not repeated with the same auth token within the hour"],
  ["(1 + Math.random() / 4)", "1", "a 429 with Retry-After: nothing is sent before, by a launch neither"],
  ["Math.min(DELAY_MAX, ", "(", "a wait is at most five minutes long"],
  ["else failures = 0", "", "a 503 without Retry-After: each wait is twice the one before"],
  ["gone.ok || gone.status === 400", "true", "offline: the ticket is queued before it is sent, and leaves after a 200"],
  ["waiting && run({})", "waiting", "what was queued is sent at the next start"],
  ["abort?.();", "", "a logout while a registration is under way gives it up, and removes what it brings"],
  [
    "if (auth && isAuthKept)",
    "if (false)",
    "no ticket covers a lost reply: the auth token waits in the queue, over a restart too",
  ],
  ["run({ force: true, leave })", "run({ leave })", "a logout does not wait for Retry-After"],
  ["ended.includes(who)", "false", "an auth token that has logged out registers nothing any more"],
] as const;

describe("a client without one of its promises", () => {
  it.for(BROKEN)("that has %s as %j fails: %s", async ([promise, instead, name], { expect }) => {
    const source = CLIENT.replace(promise, () => instead);
    expect(source).not.toBe(CLIENT);
    const scenario = FILES.flatMap(({ scenarios }) => scenarios).find((each) => each.name === name);
    if (scenario === undefined) throw new Error(`there is no scenario "${name}"`);
    expect(await play(scenario, source)).not.toBeNull();
  });
});
