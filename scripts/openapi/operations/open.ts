// What needs no header at all: a ticket, and whether the Worker answers.
import * as z from "zod/mini";
import type { ApiOperation } from "./operation.ts";
import { success } from "./shared.ts";

export const OPEN_OPERATIONS: readonly ApiOperation[] = [
  {
    id: "unregister",
    method: "post",
    path: "/v2/tokens/unregister",
    caller: "anybody",
    summary: "Remove a registration by its ticket",
    description:
      "The body is an `unregisterTicket` as text/plain; no header is needed, so that `navigator.sendBeacon` can send it. It " +
      "removes exactly the registration that it was given for, also after the session ended; a later one survives it.",
    body: { text: "An unregisterTicket.", example: "{unregisterTicket}" },
    data: success,
    example: { success: true },
    refusals: [400, 413, 415],
  },
  {
    id: "health",
    method: "get",
    path: "/health",
    caller: "anybody",
    summary: "Whether the Worker answers",
    description: "Touches no object.",
    data: z.strictObject({ status: z.literal("ok") }),
    example: { status: "ok" },
    refusals: [],
  },
];
