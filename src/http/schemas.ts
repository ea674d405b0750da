// The wire: what calls of ours accept. Unknown fields are ignored.
import * as z from "zod/mini";
import { atLeast, locationHint, matching, textOr, whole, wholeUpTo, yesOrNo } from "../config/values.ts";
import { KIND_NAMES, PLATFORMS, type SuccessorField, type TokenField } from "../domain/kinds.ts";
import { PUSH_PLATFORM_NAMES } from "../domain/push-platforms.ts";
import { uidProblem } from "../domain/uids.ts";
import {
  AUTH_TOKEN_SECONDS_MIN,
  BATCH_MAX,
  CODE_LENGTH_MAX,
  DIRECTORY_OBJECTS_MAX,
  EPOCH_MS_MIN,
  LOOKUP_USERS_MAX,
  REPORT_AHEAD_MS_MAX,
  RESTORABLE_MS,
  TOKEN_LENGTH_MAX,
} from "../limits.ts";
import { anyCase, each, given } from "./given.ts";
import { environment, labelFields } from "./labels.ts";

/** 1–4096 characters from U+0021 to U+007E: no provider's token holds a space or a control character. */
export const pushToken = z
  .string("must be a string")
  .check(
    z.minLength(1, "must not be empty"),
    z.maxLength(TOKEN_LENGTH_MAX, `must not be longer than ${TOKEN_LENGTH_MAX} characters`),
    matching(/^[\x21-\x7e]*$/, "must hold only visible ASCII characters, without spaces"),
  );

export const uid = z.string("must be a string").check((context) => {
  const message = uidProblem(context.value);
  if (message !== undefined) context.issues.push({ code: "custom", message, input: context.value });
});

const givenToken = given(pushToken);

const platform = anyCase(PLATFORMS, `must be one of ${PLATFORMS.join(", ")}`);

/** A hint: what is no platform costs no registration. */
const givenPlatform = given(platform);

const tokenFields = {
  fcmToken: givenToken,
  apnsToken: givenToken,
  voipToken: givenToken,
} satisfies Record<TokenField, unknown>;

const successorFields = {
  fcmToken: givenToken,
  deviceToken: givenToken,
  voipToken: givenToken,
} satisfies Record<SuccessorField, unknown>;

/** `POST /v2/tokens`: at least one token. SDK wrappers send `null` for a token they do not have. */
export const registerBody = z.object({
  ...tokenFields,
  platform: givenPlatform,
  ...labelFields,
});

const all = z.nullish(yesOrNo);

/** `DELETE /v2/tokens`: exactly the tokens named, else this session's slots, or all of the user's. */
export const deleteBody = z.object({ all, ...tokenFields });

/** `PATCH /v3/me/devices/{sid}`. */
export const deviceBody = z.object({ muted: yesOrNo });

/** `DELETE /v3/users/{uid}`: the uid again. */
export const eraseBody = z.object({ uid: z.nullish(z.string("must be a string")) });

/** CometChat accepts none of the auth tokens that it gave this user until now. */
export const authTokensFlushed = z.nullish(yesOrNo);

/** `DELETE /v3/users/{uid}/sessions`. */
export const endAllBody = z.object({ authTokensFlushed });

/** The auth token in a body: only where a back end passes it on. */
const passedAuthToken = z.nullish(z.string("must be a string"));

/** `POST /v3/notifications/push/v1/tokens`. The token stands in the field of its platform. */
export const successorRegisterBody = z.object({
  platform: anyCase(PUSH_PLATFORM_NAMES, `must be one of ${PUSH_PLATFORM_NAMES.join(", ")}`),
  ...successorFields,
  ...labelFields,
  authToken: passedAuthToken,
});

/** `DELETE /v3/notifications/push/v1/tokens`: one token, or those that the query says. */
export const successorDeleteBody = z.object({ authToken: passedAuthToken, all, pushToken: givenToken });

/** `POST /v3/users/{uid}/auth_tokens`. What else the SDK's `login(uid, authKey)` sends is ignored. */
export const mintBody = z.object({
  force: z.nullish(yesOrNo),
  /** How long the auth token lives, in seconds; the app's default if absent, at most its maximum. */
  lifetimeSeconds: z.nullish(
    whole("must be a whole number of seconds").check(
      atLeast(AUTH_TOKEN_SECONDS_MIN, `must be at least ${AUTH_TOKEN_SECONDS_MIN}`),
    ),
  ),
  /** Where the user's object is made, if nobody has called it before. */
  locationHint,
});

const kind = anyCase(KIND_NAMES, `must be one of ${KIND_NAMES.join(", ")}`);

const batch = <T extends z.ZodMiniType>(item: T, max: number) =>
  z
    .array(item, "must be a list")
    .check(z.minLength(1, "must not be empty"), z.maxLength(max, `must not hold more than ${max}`));

/** `POST /v3/users/{uid}/restore`: epoch milliseconds, in the last 30 days. */
export const restoreBody = z.object({
  at: whole("must be epoch milliseconds").check(
    z.refine(
      (at) => at <= Date.now() && at > Date.now() - RESTORABLE_MS,
      "must be epoch milliseconds in the last 30 days",
    ),
  ),
});

/** Whether a sender is told of devices too whose users want no pushes there. */
const includeMuted = z.nullish(yesOrNo);

/** `POST /v3/push_tokens/lookup`. Each uid is looked at by itself: one that is impossible does not cost the others. */
export const lookupBody = z.object({ uids: batch(each(uid), LOOKUP_USERS_MAX), includeMuted });

/** Of the page before. */
const cursor = z.nullish(z.string("must be a string"));

/** `GET /v3/push_tokens`. In a query, a number is text. */
export const listAllQuery = z.object({
  cursor,
  limit: z.nullish(
    z.pipe(
      z.transform((value) => (typeof value === "string" ? Number(value) : value)),
      wholeUpTo(LOOKUP_USERS_MAX),
    ),
  ),
  platform: z.nullish(platform),
  kind: z.nullish(kind),
  includeMuted,
});

/** `GET /v3/push_tokens/counts`. */
export const countsQuery = z.object({ cursor });

/** A time that a sender reports; a clock may be ahead, a time in seconds is a mistake. */
const reportedTime = whole("must be epoch milliseconds").check(
  atLeast(EPOCH_MS_MIN, "must be epoch milliseconds, not seconds"),
  z.refine((time) => time <= Date.now() + REPORT_AHEAD_MS_MAX, "must not be more than 30 days ahead"),
);

/** The arguments of the service binding's `list`. */
export const listArguments = z.object({ uid, includeMuted });

/** The provider's word. */
export const providersWord = z
  .string()
  .check(
    z.minLength(1, "must not be empty"),
    z.maxLength(CODE_LENGTH_MAX, `must not be longer than ${CODE_LENGTH_MAX} characters`),
  );

/** The provider's word, or its whole error object. */
export const providersError = textOr(
  providersWord,
  z.looseObject({}, `must be the provider's code of at most ${CODE_LENGTH_MAX} characters, or its error object`),
);

/** One report of what a provider answered. */
export const feedbackItem = z.object({
  token: pushToken,
  kind,
  code: z.nullish(providersError),
  error: z.nullish(providersError),
  at: z.nullish(reportedTime),
  sentAt: z.nullish(reportedTime),
  environment,
  uid: z.nullish(uid),
});

/** `POST /v3/push_tokens/feedback`. Each item is looked at by itself: one that is wrong does not cost the others. */
export const feedbackBody = z.object({ items: batch(each(feedbackItem), BATCH_MAX) });

/** A registration from another system. */
export const importItem = z.object({
  uid,
  kind,
  token: z.optional(givenToken),
  platform: givenPlatform,
  registeredAt: z.nullish(reportedTime),
  refreshedAt: z.nullish(reportedTime),
  suspectAt: z.nullish(reportedTime),
  muted: z.nullish(yesOrNo),
  session: z.nullish(uid),
  ...labelFields,
});

/** `POST /v3/push_tokens/import`. Each item is looked at by itself: one that is wrong does not cost the others. */
export const importBody = z.object({ items: batch(each(importItem), BATCH_MAX), locationHint });

/** `POST /v3/push_tokens/rebuild`. Without `cursor`, from the beginning. */
export const rebuildBody = z.object({
  cursor: z.nullish(z.string("must be a string")),
});

/** `POST /v3/push_tokens/forget_epoch`: a setting of the directory that is over. */
export const forgetEpochBody = z.object({
  epoch: wholeUpTo(Number.MAX_SAFE_INTEGER),
  objects: wholeUpTo(DIRECTORY_OBJECTS_MAX),
});

/** `POST /v3/push_tokens/owner`. Without `kind` every kind is looked at. */
export const ownerBody = z.object({ token: pushToken, kind: z.nullish(kind) });

/** `POST /v3/users/{uid}/push_tokens/remove`. */
export const removeBody = z.object({ token: pushToken, kind });

/** `POST /v3/users/{uid}/test`. `report`: what the providers answer is fed back, which may prune. */
export const testBody = z.object({ report: z.nullish(yesOrNo) });
