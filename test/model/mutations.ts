// The protocol with one of its rules taken out: what the search must find. docs/ownership.md says why each rule is there.
import type { Edit } from "./native.ts";

const USER = "user-tokens/user-tokens.do.ts";
const SLOTS = "user-tokens/slots.ts";
const ENDS = "user-tokens/session-ends.ts";
const IN_FLIGHT = "user-tokens/in-flight.ts";
const OWNER_OBJECTS = "user-tokens/owner-objects.ts";
const ERASURE = "user-tokens/erasure.ts";
const OWNERS = "token-owners/token-owners.do.ts";

export const MUTATIONS = {
  "a registration does not look again for releases": [
    {
      file: SLOTS,
      find: "if (version === undefined || operation.isReleasedSince(token.hash, version)) continue;",
      replace: "if (version === undefined) continue;",
    },
  ],
  "a registration does not look again for removals": [
    {
      file: USER,
      find: "if (operation.cancelled) return { ok: true, changed: true, held: [] };",
      replace: "",
    },
  ],
  "registrations of one user do not take turns": [
    {
      file: USER,
      find: "return await this.#operations.inTurn(() => this.#registerInTurn(request, operation));",
      replace: "return await this.#registerInTurn(request, operation);",
    },
  ],

  "a removal does not cancel the registrations under way": [
    {
      file: IN_FLIGHT,
      find: "for (const operation of covered) operation.cancel();",
      replace: "",
    },
  ],
  "a forget is sent while a registration is in flight": [
    {
      file: OWNER_OBJECTS,
      find: "this.#registrations.holds(hash) || this.#operations.owe(hash, version)",
      replace: "this.#registrations.holds(hash)",
    },
  ],

  "a forget ignores versions": [
    {
      file: "token-owners/store.ts",
      find: "DELETE FROM owners WHERE hash = ? AND user = ? AND version = ?",
      replace: "DELETE FROM owners WHERE hash = ? AND user = ? AND ? > 0",
    },
  ],
  "a release ignores versions": [
    {
      file: USER,
      find: "if (row === undefined || row.version >= version) return;",
      replace: "if (row === undefined) return;",
    },
  ],
  "a token is granted before it is released": [
    {
      file: OWNERS,
      find: "    try {\n      await Promise.all(others.map(",
      replace: "    this.#store.setOnlyOwner(entry);\n    try {\n      await Promise.all(others.map(",
    },
  ],
  "a release that is not answered counts as done": [
    {
      file: OWNERS,
      find: 'log.warn("release failed, the claim is refused", { error });\n      return { ok: false, reason: "unavailable" };',
      replace: 'log.warn("release failed", { error });',
    },
  ],
  "claims of one token do not take turns": [
    {
      file: OWNERS,
      find: "return await this.#turns.take(request.hash, () => this.#claimInTurn(request));",
      replace: "return await this.#claimInTurn(request);",
    },
  ],

  "the present owner's claim keeps its version": [
    {
      file: OWNERS,
      find: "    if (others.length === 0) {\n      this.#store.setOnlyOwner(entry);\n      return { ok: true, version, taken: false };",
      replace:
        "    if (others.length === 0) {\n      const kept = mine?.version ?? version;\n      this.#store.setOnlyOwner({ ...entry, version: kept });\n      return { ok: true, version: kept, taken: false };",
    },
  ],
  "versions start over once an entry is forgotten": [
    {
      file: OWNERS,
      find: "this.#lastVersion = Math.max(now, highest + 1);\n    return this.#lastVersion;",
      replace: "return Math.max(0, ...entries.map((entry) => entry.version)) + 1;",
    },
  ],
  "a claim is granted after its caller gave up": [
    {
      file: OWNERS,
      find: "    if (now > request.until) return",
      replace: "    if (now < 0) return",
    },
    {
      file: OWNERS,
      find: "    if (Date.now() > request.until) return",
      replace: "    if (now < 0) return",
    },
  ],
  "an erasure does not wait for owner objects": [
    {
      file: ERASURE,
      find: "if (!store.registrations.holds(hash)) await owners.erase(hash);",
      replace: "if (!store.registrations.holds(hash)) owners.erase(hash).catch(() => {});",
    },
  ],

  "a logout leaves no fence": [
    {
      file: USER,
      find: "if (fenceUntil !== null) ",
      replace: "if (fenceUntil === 0) ",
    },
  ],
  "an erasure drops the fences of sessions without a trusted time": [
    {
      file: ENDS,
      find: "if (!isTimeEnough(ending)) return;\n    for (const { session, issuedAt }",
      replace: "for (const { session }",
    },
    { file: ENDS, find: "      if (issuedAt <= this.validFrom()) this.#store", replace: "      this.#store" },
  ],

  "fences that gave way are forgotten": [
    { file: ENDS, find: 'return this.#isShutOut(session.id, now) ? "unavailable" : null;', replace: "return null;" },
  ],
} as const satisfies Record<string, readonly Edit[]>;

export type Mutation = keyof typeof MUTATIONS;
