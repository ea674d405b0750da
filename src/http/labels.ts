// Labels on the wire: hints that never cost the registration they come with. The same fields in both APIs.
import * as z from "zod/mini";
import { type Device, ENVIRONMENTS, type LabelChanges } from "../domain/labels.ts";
import { LABEL_LENGTH_MAX } from "../limits.ts";
import { anyCase, type Given, given, type Refused, refusedOf } from "./given.ts";

const label = given(
  z
    .string("must be a string")
    .check(z.maxLength(LABEL_LENGTH_MAX, `must not be longer than ${LABEL_LENGTH_MAX} characters`)),
);

/** One of APNs' two hosts, in any case. */
export const environment = given(anyCase(ENVIRONMENTS, `must be one of ${ENVIRONMENTS.join(", ")}`));

const device = z.object(
  {
    id: label,
    name: label,
    model: label,
    os: label,
    appVersion: label,
    locale: label,
    /** Which of APNs' two hosts takes the token. */
    environment,
    /** The APNs topic. */
    bundleId: label,
  } satisfies Record<keyof Device, unknown>,
  "must be an object",
);

/** Fields of a registration's body, whose value is kept with the registration and shown to senders. */
export const labelFields = {
  /** Which FCM or APNs provider of the sender the token is for. */
  providerId: label,
  timezone: label,
  device: given(device),
};

type Labelled = { [L in keyof typeof labelFields]?: z.output<(typeof labelFields)[L]> | undefined };

/** What a body states of labels: `null` removes one; one that is absent, blank or wrong stays as it is. */
export function labelChangesOf({ providerId, timezone, device }: Labelled): LabelChanges {
  const changes = changesOf({ providerId, timezone });
  if (device?.is === "value") {
    const ofDevice = changesOf(device.value);
    return Object.keys(ofDevice).length === 0 ? changes : { ...changes, device: ofDevice };
  }
  return isNull(device) ? { ...changes, device: null } : changes;
}

/** The labels that are not used, as a reply names them: `device.environment`. Within `device` blank ones too. */
export function refusedLabels({ providerId, timezone, device }: Labelled): Refused {
  const ofDevice = device?.is === "value" ? Object.entries(device.value) : [];
  const unused = ofDevice.filter(([, field]) => field?.is === "wrong" || (field?.is === "nothing" && !isNull(field)));
  return {
    ...refusedOf({ providerId, timezone, device }),
    ...Object.fromEntries(unused.map(([name]) => [`device.${name}`, "invalid" as const])),
  };
}

type Stated<F> = { [L in keyof F]?: (F[L] extends Given<infer T> | undefined ? T : never) | null };

function changesOf<F extends Record<string, Given<unknown> | undefined>>(fields: F): Stated<F> {
  const stated = Object.entries(fields).flatMap(([name, field]) => {
    if (field?.is === "value") return [[name, field.value] as const];
    return isNull(field) ? [[name, null] as const] : [];
  });
  return Object.fromEntries(stated) as Stated<F>;
}

/** JSON's `null`; a word for nothing says less: apps send those by mistake. */
function isNull(field: Given<unknown> | undefined): boolean {
  return field?.is === "nothing" && field.word === null;
}
