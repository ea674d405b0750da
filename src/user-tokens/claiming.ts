// Step ② of a registration: the tokens that the user does not hold are asked for, one after the other. One that cannot be had
// costs no other.
import type { PushToken, Registration, Rules } from "../domain/registration.ts";
import type { ClaimOutcome } from "../durable/claims.ts";
import { shortToken, shortUser } from "../durable/names.ts";
import { appOf, userOf } from "../durable/platform.ts";
import { CLAIM_TIMEOUT_MS } from "../limits.ts";
import { log } from "../log.ts";
import { countEvent } from "../metrics.ts";
import type { Operation } from "./in-flight.ts";
import type { ContestedToken, RegisterRequest } from "./outcomes.ts";
import type { Rooms } from "./rooms.ts";

/** Answers the tokens that could not be had; what was granted stands in the operation. */
export async function claimAll(
  rooms: Rooms,
  request: RegisterRequest,
  operation: Operation,
): Promise<ContestedToken[]> {
  const { store, ends, takeovers } = rooms;
  const { session, tokens, rules } = request;
  const contested: ContestedToken[] = [];
  const until = Date.now() + CLAIM_TIMEOUT_MS;
  for (const token of tokens) {
    // A removal meanwhile does not end this: acknowledged, the tokens must be with no other user either.
    if (ends.refusal(session, Date.now()) !== null) break;
    const { kind, hash } = token;
    const holding = store.registrations.holding(hash);
    if (holding !== undefined && isClaimed(holding, rules)) {
      operation.granted.set(hash, { version: holding.version, claimed: holding.claimed });
      continue;
    }
    const claim = await claimOne(rooms, request, token, until);
    if (claim.ok) {
      operation.granted.set(hash, { version: claim.version, claimed: rules.policy === "exclusive" });
      if (claim.taken !== "nothing") operation.taken.push(token);
    } else if (claim.reason === "unavailable") {
      contested.push({ kind, reason: "unavailable" });
    } else {
      contested.push({
        kind,
        reason: "too_many_takeovers",
        retryAfterMs: takeovers.window(Date.now()).until - Date.now(),
      });
    }
  }
  return contested;
}

async function claimOne(
  rooms: Rooms,
  request: RegisterRequest,
  token: PushToken,
  until: number,
): Promise<ClaimOutcome> {
  const { store, owners, slots, takeovers, alarm, platform } = rooms;
  const { rules } = request;
  const { hash } = token;
  const { erasures } = store;
  let isLate = false;
  const mayTake = takeovers.begin(hash, rules.takeoversPerUser, Date.now());
  const claim = await owners.claim(hash, { policy: rules.policy, mayTake, until }, (answer) => {
    const now = Date.now();
    const isErased = store.erasures > erasures;
    takeovers.end(hash, isErased ? null : answer, now);
    if (answer?.ok !== true || answer.taken === "nothing") return;
    if (isLate && !isErased) {
      slots.recordTaken(request, [token], now);
      platform().ctx.waitUntil(alarm.arm(now));
    }
    const app = appOf(platform());
    const user = shortUser(userOf(platform()));
    log.info("a token was taken from another user", { app, user, token: shortToken(hash), taken: answer.taken });
    countEvent(platform().env, app, "takeover");
  });
  isLate = !claim.ok && claim.reason === "unavailable";
  return claim;
}

/** Rows stored under `shared` have no claim: under `exclusive` they count as not held until the next registration. */
export function isClaimed(row: Registration, rules: Rules): boolean {
  return row.claimed || rules.policy === "shared";
}
