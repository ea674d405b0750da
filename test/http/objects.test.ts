// How the Worker calls its objects: what may be repeated is a matter of types. (faults.test.ts breaks the calls.)
import { describe, expect, it } from "vitest";
import type { App } from "../../src/config/apps.ts";
import { REPEATABLE_BY_OWNERS } from "../../src/durable/claims.ts";
import { askUser, tellUser } from "../../src/objects.ts";
import { REPEATABLE_BY_USERS, type RegisterRequest } from "../../src/user-tokens/outcomes.ts";

describe("what may run twice", () => {
  it("is never a registration, a removal or a claim", () => {
    const repeatable: readonly string[] = [...REPEATABLE_BY_USERS, ...REPEATABLE_BY_OWNERS];
    for (const method of ["register", "remove", "unregister", "feedback", "endAllSessions", "claim"]) {
      expect(repeatable).not.toContain(method);
    }
  });

  // Compiled, not called: `npm run check:types` fails when one of these begins or ceases to be allowed.
  it("is what the compiler lets askUser call", () => {
    const calls = {
      repeatsARead: (env: Env, app: App) => askUser(env, app, "u", (user) => user.validFrom()),
      tellsARegistration: (env: Env, app: App, request: RegisterRequest) =>
        tellUser(env, app, "u", (user) => user.register(request)),
      repeatsARegistration: (env: Env, app: App, request: RegisterRequest) =>
        // @ts-expect-error a registration that runs twice could undo a later removal
        askUser(env, app, "u", (user) => user.register(request)),
      repeatsARemoval: (env: Env, app: App) =>
        // @ts-expect-error a removal that runs twice could undo a later registration
        askUser(env, app, "u", (user) => user.unregister({ session: "s", slots: [] })),
      ringsTheAlarm: (env: Env, app: App) =>
        // @ts-expect-error the alarm is the platform's to ring
        tellUser(env, app, "u", (user) => user.alarm()),
    };
    expect(Object.values(calls)).toHaveLength(5);
  });
});
