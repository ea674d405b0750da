import { describe, expect, it } from "vitest";
import { SingleFlight } from "../../src/http/single-flight.ts";

describe("a single flight", () => {
  it("runs the work once for all who come while it runs, and again afterwards", async () => {
    const flight = new SingleFlight<number>(10_000);
    let runs = 0;
    const work = async () => {
      await scheduler.wait(20);
      runs += 1;
      return runs;
    };
    expect(await Promise.all([flight.run("a", work), flight.run("a", work), flight.run("a", work)])).toEqual([1, 1, 1]);
    expect(await flight.run("a", work)).toBe(2);
  });

  it("keeps names apart", async () => {
    const flight = new SingleFlight<string>(10_000);
    const named = (name: string) => flight.run(name, async () => name);
    expect(await Promise.all([named("a"), named("b")])).toEqual(["a", "b"]);
  });

  it("fails for all when it fails, and is tried again by the next", async () => {
    const flight = new SingleFlight<string>(10_000);
    const fail = async () => {
      await scheduler.wait(10);
      throw new Error("no");
    };
    const outcomes = await Promise.allSettled([flight.run("a", fail), flight.run("a", fail)]);
    expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(await flight.run("a", async () => "yes")).toBe("yes");
  });

  it("is begun anew by those who wait when the first one does not end", async () => {
    const flight = new SingleFlight<string>(30);
    const lost = Promise.withResolvers<string>();
    const first = flight.run("a", () => lost.promise);
    const named = (name: string) => async () => {
      await scheduler.wait(10);
      return name;
    };
    const later = await Promise.all([flight.run("a", named("second")), flight.run("a", named("third"))]);
    expect(later).toEqual(["second", "second"]);
    lost.resolve("first");
    expect(await first).toBe("first");
  });
});
