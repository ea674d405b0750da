import { describe, expect, it, vi } from "vitest";
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

  it("is begun anew, once, by those who wait when the first one does not end", async () => {
    vi.useFakeTimers({ toFake: ["Date", "setTimeout", "clearTimeout"] });
    try {
      const flight = new SingleFlight<string>(30);
      const lost = Promise.withResolvers<string>();
      const first = flight.run("a", () => lost.promise);
      const begun: string[] = [];
      const anew = Promise.withResolvers<void>();
      const named = (name: string) => async () => {
        begun.push(name);
        await anew.promise;
        return name;
      };
      const waiting = [flight.run("a", named("second")), flight.run("a", named("third"))];
      await vi.advanceTimersByTimeAsync(29);
      expect(begun).toEqual([]);
      await vi.advanceTimersByTimeAsync(1);
      expect(begun).toEqual(["second"]);
      anew.resolve();
      expect(await Promise.all(waiting)).toEqual(["second", "second"]);
      lost.resolve("first");
      expect(await first).toBe("first");
    } finally {
      vi.useRealTimers();
    }
  });
});
