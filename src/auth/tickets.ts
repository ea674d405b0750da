// Unregister tickets: a signed capability that can do one thing, remove exactly the registrations that it names, also after
// their session ended or when the app was offline at logout. A JWT of its own `typ`, so that neither a ticket nor an auth
// token ever passes for the other. It lives as long as a registration does without a launch.
import * as z from "zod/mini";
import type { App } from "../config/apps.ts";
import { number, oneOf, whole } from "../config/values.ts";
import { KIND_NAMES, type Kind } from "../domain/kinds.ts";
import { AUTH_TOKEN_LENGTH_MAX } from "../limits.ts";
import { statedClaims } from "./claims.ts";
import { ownClaims, reportMisconfigured, signJwt } from "./keys.ts";

const TYPE = "unregister+jwt";

/** A registration as a ticket names it: a later one of the same token in the same slot is another one. */
export interface TicketSlot {
  kind: Kind;
  hash: string;
  registeredAt: number;
}

export interface Ticket {
  uid: string;
  session: string;
  slots: TicketSlot[];
}

const schema = z.object({
  app: z.string(),
  exp: number("must be a time"),
  sub: z.string(),
  sid: z.string(),
  slots: z.array(
    z.object({
      kind: oneOf(KIND_NAMES, "must be a kind"),
      hash: z.string(),
      registeredAt: whole("must be epoch milliseconds"),
    }),
  ),
});

/** `null` if there is nothing to unregister, or the app has no key to sign with. */
export async function signTicket(app: App, { uid, session, slots }: Ticket): Promise<string | null> {
  const key = app.signingKeys[0];
  if (key === undefined || slots.length === 0) return null;
  const exp = (Date.now() + app.rules.retentionMs) / 1000;
  return signJwt(key, TYPE, { app: app.appId, sub: uid, sid: session, slots, exp });
}

/** The app that a ticket says it is of; not yet verified. `null` for what is no ticket at all. */
export function appIdOfTicket(ticket: string): string | null {
  if (ticket.length > AUTH_TOKEN_LENGTH_MAX) return null;
  try {
    const { app } = statedClaims(ticket);
    return typeof app === "string" ? app : null;
  } catch {
    return null;
  }
}

/**
 * What the ticket allows; `null` if it is not genuine, of another app, or expired.
 * @throws {ApiError} 500 if the app has no key that could tell: clients throw a refused ticket away
 */
export async function verifyTicket(app: App, ticket: string): Promise<Ticket | null> {
  if (app.signingKeys.length === 0) throw reportMisconfigured([`${app.secretsName}.signingKeys: is missing`]);
  const { data } = schema.safeParse(await ownClaims(app, TYPE, ticket));
  if (data?.app !== app.appId || data.exp * 1000 <= Date.now()) return null;
  return { uid: data.sub, session: data.sid, slots: data.slots };
}
