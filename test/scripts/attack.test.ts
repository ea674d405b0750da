// What the attack tests and the fuzzer take from the description.
import * as fc from "fast-check";
import { describe, it } from "vitest";
import document from "../../public/openapi.json" with { type: "json" };
import { calls } from "../../scripts/fuzz/calls.ts";
import type { Material } from "../../scripts/fuzz/material.ts";
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

  it("name the fields of their bodies, so that each is given wrong values", ({ expect }) => {
    const fields = (id: string) => operationsForAttack().find((each) => each.id === id)?.fields;
    expect(fields("registerTokens")).toEqual(
      expect.arrayContaining(["fcmToken", "apnsToken", "voipToken", "platform"]),
    );
    expect(fields("reportFeedback")).toEqual(expect.arrayContaining(["items", "token", "kind", "code", "sentAt"]));
    expect(fields("health")).toEqual([]);
  });

  it("are all sent by the fuzzer, with what exists where a place or a field asks for it", ({ expect }) => {
    const material: Material = {
      appId: "load",
      authTokens: ["auth-token"],
      spareAuthTokens: ["spare-auth-token"],
      deadAuthTokens: ["dead-auth-token"],
      keys: { fullAccess: "full", sender: "sender", authOnly: "auth" },
      uids: ["witness/é"],
      victims: ["victim"],
      tickets: ["ticket"],
      pushTokens: ["push-token"],
    };
    const drafts = fc.sample(calls(material), { numRuns: 3000, seed: 1 });
    for (const { method, path, audience } of operationsForAttack()) {
      const places = { uid: method === "DELETE" ? "victim" : "witness/é", sid: "no-session-of-theirs" };
      const sent = drafts.filter(
        (draft) => draft.method === method && draft.path === fillPath(path, { ...places, pushToken: "push-token" }),
      );
      expect({ method, path, sent: sent.length > 0 }).toEqual({ method, path, sent: true });
      const header = { client: "authToken", server: "apikey", ticket: "content-type", none: null }[audience];
      if (header !== null) expect(sent.every(({ headers }) => headers[header] !== undefined)).toBe(true);
    }
    const registration = drafts.find(({ path, method }) => path === "/v2/tokens" && method === "POST");
    expect(JSON.parse(String(registration?.body))).toMatchObject({ fcmToken: "push-token" });
  });
});
