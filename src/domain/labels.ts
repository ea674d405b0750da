// Labels: what a client says of a registration beside its token. They are kept with it and shown to senders, and decide
// nothing here.

export interface Labels {
  /** Which FCM or APNs provider of the sender the token is for (CometChat's successor API). */
  providerId?: string;
  /** The device's time zone, as the client names it. */
  timezone?: string;
}

/** What a call states of labels: one that is absent stays as it is, `null` removes it (RFC 7396). */
export type LabelChanges = { [L in keyof Labels]?: Labels[L] | null | undefined };

/** `labels` after `changes`. */
export function withLabels(labels: Labels, changes: LabelChanges): Labels {
  return mergePatch(labels, changes) as Labels;
}

/** RFC 7396 §2, but that `undefined` is absent. Keys keep their order, so that equal labels are equal text. */
function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const merged: Record<string, unknown> = isObject(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key];
    else if (value !== undefined) merged[key] = mergePatch(merged[key], value);
  }
  return merged;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
