// Tests of rate limits. The simulator's periods begin with the minute of the clock, and with each of them every limit is whole
// again.
import { it, type TestContext } from "vitest";

const MINUTE_MS = 60_000;

/** The first 64 bits of an IPv6 address, which nobody else has: `2001:db8:…:…`. */
export function newNetwork(): string {
  const [a = 0, b = 0] = crypto.getRandomValues(new Uint16Array(2));
  return `2001:db8:${a.toString(16)}:${b.toString(16)}`;
}

/** The header of an address in that network. */
export function address(network = newNetwork(), host = 1): { "cf-connecting-ip": string } {
  return { "cf-connecting-ip": `${network}::${host.toString(16)}` };
}

/** As `it`. Where a minute begins in the middle, what came of it says nothing: it is done anew, by other users and addresses. */
export function itWithinAMinute(name: string, test: (context: TestContext) => Promise<void>): void {
  it(name, async (context) => {
    for (;;) {
      const minute = Math.floor(Date.now() / MINUTE_MS);
      const [result] = await Promise.allSettled([test(context)]);
      if (Math.floor(Date.now() / MINUTE_MS) !== minute) continue;
      if (result.status === "rejected") throw result.reason;
      return;
    }
  });
}
