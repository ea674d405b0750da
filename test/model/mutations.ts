// The protocol with one of its rules taken out: what the search must find. docs/ownership.md says why each rule is there;
// directory-mutations.ts has those of the directory, import-mutations.ts those of imports.
import { DIRECTORY_MUTATIONS } from "./directory-mutations.ts";
import { IMPORT_MUTATIONS } from "./import-mutations.ts";
import type { Edit } from "./native.ts";

const USER = "user-tokens/user-tokens.do.ts";
const REGISTERING = "user-tokens/registering.ts";
const SLOTS = "user-tokens/slots.ts";
const ENDS = "user-tokens/session-ends.ts";
const IN_FLIGHT = "user-tokens/in-flight.ts";
const OWNER_OBJECTS = "user-tokens/owner-objects.ts";
const ERASURE = "user-tokens/erasure.ts";
const RECONCILIATION = "user-tokens/reconciliation.ts";
const RESTORATION = "user-tokens/restoration.ts";
const TAKEOVERS = "user-tokens/takeovers.ts";
const OWNERS = "token-owners/token-owners.do.ts";

export const MUTATIONS = {
  "a registration does not look again for releases": [
    {
      file: IN_FLIGHT,
      find: "if (grant === undefined || (this.#released.get(hash) ?? 0) > grant.version) return null;",
      replace: "if (grant === undefined) return null;",
    },
  ],
  "a registration does not look again for removals": [
    {
      file: REGISTERING,
      find: "if (operation.cancelled) return { ok: true, changed: true, held: [], contested };",
      replace: "",
    },
  ],
  "registrations of one user do not take turns": [
    {
      file: USER,
      find: "const outcome = await this.#operations.inTurn(() => registerInTurn(this.#rooms, request, operation));",
      replace: "const outcome = await registerInTurn(this.#rooms, request, operation);",
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
      find: "if (row !== undefined && row.version < version) this.#slots.empty(",
      replace: "if (row !== undefined) this.#slots.empty(",
    },
  ],
  "a token is granted before it is released": [
    {
      file: OWNERS,
      find: "    const released = await this.#tell(asked, (owner) => owner.release(hash, version));",
      replace:
        "    this.#store.setOnlyOwner(entry);\n    const released = await this.#tell(asked, (owner) => owner.release(hash, version));",
    },
  ],
  "a release that is not answered counts as done": [
    { file: OWNERS, find: "if (released.length < others.length) {", replace: "if (released.length < 0) {" },
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
      find: "return await this.#takeOver(request, entry, others);",
      replace:
        "return await this.#takeOver(request, entry, others);\n    entry.version = entries.find((each) => each.user === user)?.version ?? entry.version;",
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
      find: "policy } = request;\n    const now = Date.now();\n    if (now > request.until) return",
      replace: "policy } = request;\n    const now = Date.now();\n    if (now < 0) return",
    },
    {
      file: OWNERS,
      find: "    }\n    const now = Date.now();\n    if (now > request.until) return",
      replace: "    }\n    const now = Date.now();\n    if (now < 0) return",
    },
  ],
  "an erasure does not wait for owner objects": [
    {
      file: ERASURE,
      find: "if (!store.registrations.holds(hash)) await owners.erase(hash);",
      replace: "if (!store.registrations.holds(hash)) owners.erase(hash).catch(() => {});",
    },
  ],

  "a logout leaves no fence": [{ file: ENDS, find: "    if (fence === null) return;\n", replace: "    return;\n" }],
  "an erasure drops the fences of sessions without a trusted time": [
    {
      file: ENDS,
      find: "    if (!isTimeEnough(ending)) return;\n    const dated = this.#store.fences().filter(({ issuedAt }) => issuedAt <= this.validFrom());",
      replace: "    const dated = this.#store.fences();",
    },
    { file: ENDS, find: "    this.#raiseValidFrom(0, Math.max(...dated.map(({ until }) => until)));\n", replace: "" },
  ],

  "fences that gave way are forgotten": [
    { file: ENDS, find: 'return this.#isShutOut(session.id, now) ? "unavailable" : null;', replace: "return null;" },
  ],
  "a shared claim tells nobody": [
    {
      file: OWNERS,
      find: "const claimed = others.filter((other) => other.claimed);",
      replace: "const claimed = others.filter(() => false);",
    },
  ],
  "a registration does not look again for who shares its token": [
    {
      file: IN_FLIGHT,
      find: "claimed: grant.claimed && (this.#shared.get(hash) ?? 0) <= grant.version",
      replace: "claimed: grant.claimed",
    },
  ],
  "a mark can be shortened": [
    { file: ENDS, find: "before === undefined ? fence : higher(before, fence)", replace: "fence" },
    { file: ENDS, find: "until: Math.max(before.until, until)", replace: "until" },
  ],
  "a mark ends by the setting of its time": [
    { file: ENDS, find: "return open ? until : Math.max(until, endedAt + sessionMs);", replace: "return until;" },
  ],
  "an erasure writes its marks after everything was deleted": [
    { file: ERASURE, find: "operations, publication }: Rooms)", replace: "operations, publication, ends }: Rooms)" },
    {
      file: ERASURE,
      find: "    store.transaction(() => store.wipe());\n",
      replace: "    const marks = ends.marks();\n    await store.deleteAll();\n    ends.add(marks);\n",
    },
  ],
  "a reconciliation beside a restore asks for no marks": [
    {
      file: RECONCILIATION,
      find: "const marks = await restoration.keptMarks();",
      replace: "const marks = { fences: [], validFrom: null, kept: null };",
    },
  ],
  "a reconciliation goes on while a restore is prepared": [
    { file: RECONCILIATION, find: "  if (restoration.ended !== undefined) return UNAVAILABLE;\n", replace: "" },
  ],
  "a restore forgets the marks": [{ file: RECONCILIATION, find: "  ends.add(marks);\n", replace: "" }],
  "sessions end while a restore is prepared": [
    { file: RESTORATION, find: "return this.#ended?.promise;", replace: "return undefined;" },
  ],
  "a reconciliation keeps the old claim": [
    { file: OWNERS, find: "version: this.#nextVersion(Date.now(), entries) };", replace: "version: mine.version };" },
  ],
  "a reconciliation does not take its turn": [
    {
      file: OWNERS,
      find: "return await this.#turns.take(hash, async () => {",
      replace: "return await ((work) => work())(async () => {",
    },
  ],
  "a limit of takeovers keeps the owner out": [
    { file: OWNERS, find: "if (!request.mayTake && !isReturn)", replace: "if (!request.mayTake)" },
  ],
  "an installation counts each time it is taken": [
    { file: TAKEOVERS, find: "hashes.includes(hash) || count", replace: "count" },
  ],
  "a report prunes another form of the token": [
    {
      file: SLOTS,
      find: "if (row === undefined || row.token !== report.token) return",
      replace: "if (row === undefined) return",
    },
  ],
  ...DIRECTORY_MUTATIONS,
  ...IMPORT_MUTATIONS,
} as const satisfies Record<string, readonly Edit[]>;

export type Mutation = keyof typeof MUTATIONS;
