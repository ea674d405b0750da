// The wire: what calls of ours accept. Unknown fields are ignored.
import * as z from "zod/mini";
import { PLATFORMS } from "./domain/registration.ts";
import { TOKEN_LENGTH_MAX, UID_LENGTH_MAX } from "./limits.ts";

/** 1–4096 characters from U+0021 to U+007E: no provider's token holds a space or a control character. */
export const pushToken = z
  .string("must be a string")
  .check(
    z.minLength(1, "must not be empty"),
    z.maxLength(TOKEN_LENGTH_MAX, `must not be longer than ${TOKEN_LENGTH_MAX} characters`),
    z.regex(/^[\x21-\x7e]*$/, "must hold only visible ASCII characters, without spaces"),
  );

export const uid = z.string("must be a string").check(
  z.minLength(1, "must not be empty"),
  z.maxLength(UID_LENGTH_MAX, `must not be longer than ${UID_LENGTH_MAX} characters`),
  z.refine(
    (text) => text.isWellFormed() && !/\p{Cc}/u.test(text),
    "must be well-formed text without control characters",
  ),
);

/** `POST /v2/tokens`. SDK wrappers send `null` for a token they do not have. */
export const registerBody = z
  .object({
    fcmToken: z.nullish(pushToken),
    apnsToken: z.nullish(pushToken),
    voipToken: z.nullish(pushToken),
    platform: z.nullish(z.enum(PLATFORMS, `must be one of ${PLATFORMS.join(", ")}`)),
  })
  .check(
    z.refine(
      (body) => (body.fcmToken ?? body.apnsToken ?? body.voipToken) != null,
      "must hold at least one of fcmToken, apnsToken and voipToken",
    ),
  );

/** `DELETE /v2/tokens`: this session's slots, or all of the user's. */
export const deleteBody = z.object({ all: z._default(z.nullable(z.boolean("must be true or false")), false) });

/** `POST /v3/users/{uid}/auth_tokens`. What the SDK's `login(uid, authKey)` sends beside is ignored. */
export const mintBody = z.object({
  force: z.nullish(z.boolean("must be true or false")),
  /** How long the auth token lives, in seconds; the app's default if absent, at most its maximum. */
  lifetimeSeconds: z.nullish(z.int("must be a whole number of seconds").check(z.minimum(60, "must be at least 60"))),
});
