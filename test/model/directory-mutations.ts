// The protocol of the directory with one of its rules taken out. docs/directory.md says why each rule is there.
import type { Edit } from "./native.ts";

const USER = "user-tokens/user-tokens.do.ts";
const SLOTS = "user-tokens/slots.ts";
const STORE = "user-tokens/store.ts";
const ALARM = "user-tokens/alarm.ts";
const PUBLICATION = "user-tokens/publication.ts";
const COLLECTION = "user-tokens/collection.ts";
const ERASURE = "user-tokens/erasure.ts";
const DIRECTORY = "directory/directory.do.ts";
const DIRECTORY_STORE = "directory/store.ts";

const WITHOUT_MARGIN: Edit = { file: SLOTS, find: " + RESTORED_VERSION_AHEAD_MS;", replace: ";" };

export const DIRECTORY_MUTATIONS = {
  // What waits for the directory

  "an unchanged registration does not wait for the directory": [
    {
      file: USER,
      find: "return await this.#acknowledge({ ok: true, changed: false, held, contested: [] });",
      replace: "return { ok: true, changed: false, held, contested: [] };",
    },
  ],
  "a change is published after it was acknowledged": [
    {
      file: USER,
      find: 'return (await this.#publication.settled()) ? outcome : { ok: false, reason: "unavailable" };',
      replace: "void this.#publication.settled();\n    return outcome;",
    },
  ],
  "an end of what is not known does not wait for the directory": [
    {
      file: USER,
      find: "return await this.#acknowledge({ removed: 0, known });",
      replace: "return { removed: 0, known };",
    },
  ],
  "a release without a row does not wait for the directory": [
    {
      file: USER,
      find: "    if (row !== undefined && row.version < version) this.#slots.empty(",
      replace: "    if (row === undefined) return;\n    if (row.version < version) this.#slots.empty(",
    },
  ],
  "a release is answered before the directory has confirmed": [
    {
      file: USER,
      find: 'if (!(await this.#publication.settled())) throw new Error("the directory did not confirm");',
      replace: "void this.#publication.settled();",
    },
  ],
  "a forget is sent with the commit": [
    {
      file: PUBLICATION,
      find: "if (ended.length > 0) this.#ended.push({ version: this.#store.version, claims: ended });",
      replace: "this.#owners.forget(ended);",
    },
  ],
  "a forget is kept of what is held": [
    {
      file: PUBLICATION,
      find: "claims.filter(({ hash }) => !this.#store.registrations.holds(hash));",
      replace: "claims;",
    },
  ],
  "an erasure tells owner objects before the directory": [
    {
      file: ERASURE,
      find: '    if (!(await publication.settled())) throw new Error("the directory did not confirm");\n',
      replace: "",
    },
    {
      file: ERASURE,
      find: "      store.deletePendingForget(hash);\n    }\n",
      replace:
        '      store.deletePendingForget(hash);\n    }\n    if (!(await publication.settled())) throw new Error("the directory did not confirm");\n',
    },
  ],
  "who waits takes any publication for the right one": [
    {
      file: PUBLICATION,
      find: "while ((this.#confirmed ?? 0) < mine) {",
      replace: "for (let once = 0; once < 1 && (this.#confirmed ?? 0) < mine; once += 1) {",
    },
  ],

  // The mark

  "the near alarm is set in a commit of its own": [
    {
      file: SLOTS,
      find: "if (draft.isSeen) this.#alarm.setNear(now);",
      replace: "if (draft.isSeen) setTimeout(() => this.#alarm.setNear(now), 0);",
    },
  ],
  "the far alarm is set though there was a change meanwhile": [
    {
      file: PUBLICATION,
      find: "const isDone = this.isSettled && this.#store.exists &&",
      replace: "const isDone = this.#store.exists &&",
    },
  ],
  "a confirmation counts for what was changed meanwhile": [
    {
      file: PUBLICATION,
      find: "    this.#confirmed = version;\n",
      replace: "    this.#confirmed = this.#store.version;\n",
    },
  ],
  "a far alarm is set for what came after the alarm had gone off": [
    {
      file: PUBLICATION,
      find: "arm(Date.now(), () => !this.isSettled || this.#store.isErasing);",
      replace: "arm(Date.now());",
    },
  ],
  "the far alarm is set while the user is erased": [
    { file: PUBLICATION, find: "this.#store.exists && !this.#store.isErasing;", replace: "this.#store.exists;" },
  ],
  "no alarm counts as published": [
    {
      file: ALARM,
      find: "return this.#at != null && isWholeMinute(this.#at);",
      replace: "return this.#at == null || isWholeMinute(this.#at);",
    },
  ],
  "the alarm rests though the directory did not confirm": [
    {
      file: COLLECTION,
      find: "  if (isKnown && (await publication.settled())) await sleep(rooms, retentionMs, sessionMs);\n  else await alarm.setAgain(Date.now());\n",
      replace: "  await publication.settled();\n  await sleep(rooms, retentionMs, sessionMs);\n",
    },
    { file: COLLECTION, find: "!publication.isSettled || store.isErasing", replace: "store.isErasing" },
  ],
  "an object is deleted whole while something is due": [
    {
      file: ERASURE,
      find: '    if (!(await publication.settled())) throw new Error("the directory did not confirm");\n',
      replace: "",
    },
    {
      file: ERASURE,
      find: "store.registrations.count() > 0 || !publication.isSettled",
      replace: "store.registrations.count() > 0",
    },
  ],

  // Versions

  "the directory compares no versions": [
    {
      file: DIRECTORY,
      find: "else if (snapshot.version <= row.version) return { ok: false, version: row.version };\n",
      replace: "",
    },
    {
      file: DIRECTORY,
      find: "      if (snapshot.version <= floor) return { ok: false, version: floor };\n",
      replace: "",
    },
    { file: DIRECTORY, find: "if (snapshot.version > row.version) this", replace: "if (snapshot.version > 0) this" },
  ],
  "a version is the clock": [
    { file: SLOTS, find: "return Math.max(least, highestVersion + 1, versionMin);", replace: "return now;" },
  ],
  "versions start over when they were deleted": [
    { file: STORE, find: "return Math.max(this.#highestVersion, this.version);", replace: "return this.version;" },
  ],
  "what the directory refuses counts as published": [
    {
      file: PUBLICATION,
      find: "        this.#slots.showAbove(outcome.version, Date.now());\n",
      replace: "        this.#confirm(snapshot.version);\n        return true;\n",
    },
  ],
  "what the directory refuses is put again as it is": [
    { file: PUBLICATION, find: "        this.#slots.showAbove(outcome.version, Date.now());\n", replace: "" },
  ],
  "there is no floor": [
    { file: DIRECTORY_STORE, find: "if (version <= this.floor()) return;", replace: "if (version > 0) return;" },
  ],
  "an empty state without a row raises no floor": [
    {
      file: DIRECTORY,
      find: "if (row === undefined) this.#store.raiseFloor(snapshot.version);",
      replace: "if (row === undefined) return { ok: true };",
    },
  ],
  "a restored object publishes without the margin": [WITHOUT_MARGIN],
  "a restored object knows no version of before": [{ file: SLOTS, find: ", before + 1) +", replace: ") +" }],
  "a restored object without the margin meets a directory that compares no contents": [
    WITHOUT_MARGIN,
    {
      file: DIRECTORY,
      find: "else if (snapshot.version < row.version || !this.#store.holds(row.id, snapshot)) {",
      replace: "else if (snapshot.version < row.version) {",
    },
  ],

  // What is shown

  "a refresh moves what is shown, under the same version": [
    { file: SLOTS, find: "if (isUnseen) registration.shownAt = before.shownAt;\n    else", replace: "if (!isUnseen)" },
  ],
  "another epoch changes nothing for who was published": [
    {
      file: PUBLICATION,
      find: "if (isElsewhere && this.#store.registrations.count() > 0) this.#slots.showAgain(Date.now());",
      replace: "",
    },
  ],
} as const satisfies Record<string, readonly Edit[]>;
