// What the attack tests and the fuzzer take from the description.
import { describe, it } from "vitest";
import document from "../../public/openapi.json" with { type: "json" };
import { fillPath, operationsForAttack } from "../../scripts/openapi/attack.ts";

describe("the calls to attack", () => {
  it("are all calls of the description, each with the caller that it is for", ({ expect }) => {
    const described = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const attacked = operationsForAttack();
    expect(attacked.map(({ method, path }) => `${method} ${path}`).sort()).toEqual(described.sort());
    const ofAudience = (audience: string) => attacked.filter((each) => each.audience === audience).map(({ id }) => id);
    expect(ofAudience("ticket")).toEqual(["unregister"]);
    expect(ofAudience("none")).toEqual(["health"]);
    expect(ofAudience("client")).toContain("registerTokens");
    expect(ofAudience("server")).toContain("eraseUser");
    expect(attacked.filter(({ audience, scopes }) => (audience === "server") !== scopes.length > 0)).toEqual([]);
  });

  it("have paths whose places are filled percent-encoded, and none left open", ({ expect }) => {
    expect(fillPath("/v3/users/{uid}/sessions/{sid}", { uid: "a/b", sid: "é" })).toBe(
      "/v3/users/a%2Fb/sessions/%C3%A9",
    );
    expect(() => fillPath("/v3/users/{uid}", {})).toThrow("needs a value for uid");
  });
});
