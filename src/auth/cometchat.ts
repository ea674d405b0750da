// Identity `cometchat`: auth tokens that only CometChat can tell.
import type { CometChatApp } from "../config.ts";
import { ApiError } from "../errors.ts";
import type { Verifier } from "./caller.ts";

export const verifyCometChat: Verifier<CometChatApp> = async () => {
  throw new ApiError("ERR_OPERATION_FAILED", "This server cannot verify CometChat's auth tokens.");
};
