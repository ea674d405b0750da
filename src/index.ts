// The Worker's entry: its HTTP handler, and the classes that Cloudflare must find in this module.
import "./libraries.ts";
import { createApp } from "./app.ts";

export { Directory } from "./directory/directory.do.ts";
export { PushTokens } from "./sender/entrypoint.ts";
export { TokenOwners } from "./token-owners/token-owners.do.ts";
export { UserTokens } from "./user-tokens/user-tokens.do.ts";

export default createApp();
