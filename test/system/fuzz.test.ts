// A short run of the fuzzer (`npm run fuzz` for a long one): generated requests at workerd.
import { describe, inject, it } from "vitest";
import { fuzz } from "../../scripts/fuzz.ts";

describe("generated requests", () => {
  it("are answered with the envelope, change nothing when refused, are told no secret, and leave the directory in step", async ({
    expect,
  }) => {
    const result = await fuzz({ requests: 2000, seed: 20_261_124, bundle: inject("bundle") });
    expect(result.findings).toEqual([]);
    expect(result.requests).toBeGreaterThan(1900);
    expect(result.groupsCompared).toBeGreaterThan(0);
    expect(result.usersCompared).toBeGreaterThan(0);
    expect(Object.keys(result.statuses)).toEqual(expect.arrayContaining(["200", "400", "401", "403", "404", "413"]));
  });
});
