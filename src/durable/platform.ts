import { appOfName, userOfName } from "./names.ts";

/** What the platform gives an object. */
export interface Platform {
  ctx: DurableObjectState;
  env: Env;
}

/**
 * The platform as the object has it now. The rooms of an object take this function, not its values: tests that put a
 * fault between an object and the platform replace them.
 */
export type PlatformOf = () => Platform;

/** The name by which the object is addressed. */
export function nameOf({ ctx }: Platform): string {
  const { name } = ctx.id;
  if (name === undefined) throw new Error("objects are addressed by name");
  return name;
}

export function appOf(platform: Platform): string {
  return appOfName(nameOf(platform));
}

/** What owner objects call the user of a UserTokens object. */
export function userOf(platform: Platform): string {
  return userOfName(nameOf(platform));
}
