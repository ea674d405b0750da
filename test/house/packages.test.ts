// What package-lock.json says of where packages come from: nothing, so that everybody takes them from a registry of their own.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "vitest";
import { PROJECT } from "../../scripts/lib/workerd.ts";

describe("package-lock.json", () => {
  it("names the checksum of every package, and the address of none", ({ expect }) => {
    const lock = JSON.parse(readFileSync(join(PROJECT, "package-lock.json"), "utf8"));
    const packages = Object.entries<{ integrity?: string; resolved?: string }>(lock.packages);
    const wrong = packages.filter(([path, { integrity, resolved }]) => path !== "" && !(integrity && !resolved));
    expect(packages.length).toBeGreaterThan(100);
    expect(wrong).toEqual([]);
  });
});
