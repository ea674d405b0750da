// Push tokens on their way between the wire and the objects, which know an installation by its hash.
import type { App } from "../config/apps.ts";
import type { Kind } from "../domain/kinds.ts";
import type { PushToken } from "../domain/registration.ts";
import { identityOf, storedForm } from "../domain/token.ts";
import { tokenHash } from "../durable/names.ts";

/** The hash under which the app's objects know the installation that a token stands for. */
export function hashOf(app: App, kind: Kind, token: string): Promise<string> {
  return tokenHash(kind, identityOf(kind, token, app));
}

/** The token as the objects take it. */
export async function toPushToken<T extends Pick<PushToken, "kind" | "token">>(
  app: App,
  given: T,
): Promise<T & Pick<PushToken, "hash">> {
  const { kind, token } = given;
  return { ...given, token: storedForm(kind, token), hash: await hashOf(app, kind, token) };
}
