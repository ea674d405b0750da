// The names of a registration's fields, in files of this registry and as columns of its tables.
import type { Device } from "../../src/domain/labels.ts";
import type { EstateItem } from "./item.ts";

export const FIELDS = Object.keys({
  uid: true,
  kind: true,
  token: true,
  platform: true,
  session: true,
  registeredAt: true,
  refreshedAt: true,
  suspectAt: true,
  muted: true,
  providerId: true,
  timezone: true,
} satisfies Record<Exclude<keyof EstateItem, "device">, true>);

export const DEVICE_FIELDS = Object.keys({
  id: true,
  name: true,
  model: true,
  os: true,
  appVersion: true,
  locale: true,
  environment: true,
  bundleId: true,
} satisfies Record<keyof Device, true>);

/** Columns of a table. */
export const COLUMNS = [...FIELDS, ...DEVICE_FIELDS.map((name) => `device.${name}`)];
