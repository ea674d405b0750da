// Labels: what a client says of a registration beside its token. They are kept with it and shown to senders, and decide
// nothing here.

/** APNs' two hosts. A token is known to the one of its app's build. */
export const ENVIRONMENTS = ["production", "sandbox"] as const;
export type Environment = (typeof ENVIRONMENTS)[number];

/** What a device is, in its app's own words; each at most LABEL_LENGTH_MAX characters. */
export interface Device {
  id?: string;
  name?: string;
  model?: string;
  os?: string;
  appVersion?: string;
  locale?: string;
  /** Which of APNs' two hosts takes the token. */
  environment?: Environment;
  /** The APNs topic. */
  bundleId?: string;
}

export interface Labels {
  /** Which FCM or APNs provider of the sender the token is for (CometChat's successor API). */
  providerId?: string;
  /** The device's time zone, as the client names it. */
  timezone?: string;
  device?: Device;
}

type Changes<T> = { [F in keyof T]?: T[F] | null | undefined };

/** What a call states of labels: one that is absent stays as it is, `null` removes it (RFC 7396). */
export type LabelChanges = Omit<Changes<Labels>, "device"> & { device?: Changes<Device> | null | undefined };

/** `labels` after `changes`. */
export function withLabels(labels: Labels, changes: LabelChanges): Labels {
  return mergePatch(labels, changes) as Labels;
}

/** The labels that say something. */
export function shownLabels({ device = {}, ...labels }: Labels): Labels {
  return Object.keys(device).length === 0 ? labels : { ...labels, device };
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
