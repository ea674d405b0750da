// All calls of the API's description, for the tests of what must hold of every one: a new call is attacked without anybody
// remembering it.
import { fillPath, operationsForAttack } from "../../scripts/openapi/attack.ts";

export const CLIENT_CALLS = operationsForAttack().filter(({ audience }) => audience === "client");
export const SERVER_CALLS = operationsForAttack().filter(({ audience }) => audience === "server");

export interface Target {
  uid: string;
  sid: string;
  pushToken: string;
}

/** Path and body of a call, with this user, session and token wherever the description's example names some. */
export function aimAt(
  { path, body }: { path: string; body: unknown },
  target: Target,
): { path: string; body: unknown } {
  const aimed = JSON.stringify(body)
    ?.replaceAll('"alice"', JSON.stringify(target.uid))
    .replaceAll('"fcm-registration-token"', JSON.stringify(target.pushToken));
  return { path: fillPath(path, { ...target }), body: aimed === undefined ? undefined : JSON.parse(aimed) };
}
