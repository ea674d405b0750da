// Imports with one of their rules taken out.
import type { Edit } from "./native.ts";

const IMPORTING = "user-tokens/importing.ts";

export const IMPORT_MUTATIONS = {
  "an import does not look again for what came between": [
    { file: IMPORTING, find: "        whyNot(rooms, request, item, now) ??\n", replace: "" },
    { file: IMPORTING, find: "(grant === null || operation.cancelled ?", replace: "(grant === null ?" },
  ],
  "an import takes what another user's device registered": [
    {
      file: IMPORTING,
      find: "return row !== undefined && (!row.imported || row.refreshedAt >= seenAt || row.version >= version);",
      replace: "return false;",
    },
  ],
  "an import takes what another user is registering": [
    {
      file: IMPORTING,
      find: 'if (operations.hashes().includes(hash)) throw new Error("the token is being registered");',
      replace: "",
    },
  ],
  "an import moves what the user's own device registered": [
    { file: IMPORTING, find: 'if (row?.imported === false) return "held_here";', replace: "" },
  ],
  "an import takes the slot of a device's registration": [
    {
      file: IMPORTING,
      find: "(!slot.imported || slot.refreshedAt > refreshedAt)",
      replace: "slot.refreshedAt > refreshedAt",
    },
  ],
  "an import brings back what went": [{ file: IMPORTING, find: 'if (isGone) return "newer_here";', replace: "" }],
  "an import asks for no fence": [
    {
      file: IMPORTING,
      find: "if (refusal !== null || ends.importEndedAt(token.hash) >= refreshedAt)",
      replace: "if (ends.importEndedAt(token.hash) >= refreshedAt)",
    },
  ],
  "an import takes a session of the file for one that goes on": [
    {
      file: IMPORTING,
      find: "ends.validFrom() === 0 || lives(session);",
      replace: 'ends.validFrom() === 0 || session !== "";',
    },
  ],
  "an import does not know when a user is full": [
    { file: IMPORTING, find: 'return isMore && isFull ? "full" : null;', replace: "return null;" },
  ],
} as const satisfies Record<string, readonly Edit[]>;
