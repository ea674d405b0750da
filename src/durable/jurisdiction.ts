// Where the objects of an app live. The same name is another object in another jurisdiction, so all kinds of object of one app must
// always be addressed in the same one.
import type { LocationHint } from "../config/values.ts";

/**
 * The object of that name in a jurisdiction; workerd itself knows none, so without one the call is not made. `near`: where the object
 * is made if this is its first call; without, near the caller. A jurisdiction has the last word.
 */
export function stubOf<T extends Rpc.DurableObjectBranded | undefined>(
  namespace: DurableObjectNamespace<T>,
  name: string,
  { jurisdiction }: { jurisdiction?: string | undefined },
  near?: LocationHint | null,
): DurableObjectStub<T> {
  if (jurisdiction !== undefined)
    return namespace.jurisdiction(jurisdiction as DurableObjectJurisdiction).getByName(name);
  return namespace.getByName(name, near == null ? undefined : { locationHint: near });
}
