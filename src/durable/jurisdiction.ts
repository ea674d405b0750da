// Where the objects of an app live. The same name is another object in another jurisdiction, so both kinds of object of one
// app must always be addressed in the same one.

/** The objects of a namespace in a jurisdiction; workerd itself knows none, so without one the call is not made. */
export function inJurisdiction<T extends Rpc.DurableObjectBranded | undefined>(
  namespace: DurableObjectNamespace<T>,
  jurisdiction: string | undefined,
): DurableObjectNamespace<T> {
  return jurisdiction === undefined ? namespace : namespace.jurisdiction(jurisdiction as DurableObjectJurisdiction);
}
