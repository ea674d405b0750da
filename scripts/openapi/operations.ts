// The API call by call, for people and programs: what scripts/openapi.ts writes down, what the tests replay, and what the
// attack tests and the fuzzer attack. One file per audience. The bodies are the very schemas that the Worker validates with.
import { BACK_END_OPERATIONS } from "./operations/back-end.ts";
import { CLIENT_OPERATIONS } from "./operations/client.ts";
import { OPEN_OPERATIONS } from "./operations/open.ts";
import type { ApiOperation } from "./operations/operation.ts";
import { SENDER_OPERATIONS } from "./operations/sender.ts";

export type { ApiOperation };

export const OPERATIONS: readonly ApiOperation[] = [
  ...CLIENT_OPERATIONS,
  ...OPEN_OPERATIONS,
  ...SENDER_OPERATIONS,
  ...BACK_END_OPERATIONS,
];
