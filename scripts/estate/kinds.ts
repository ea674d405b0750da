// What systems call the kinds of push token.
import type { EstateItem } from "./item.ts";

const WORDS: Record<EstateItem["kind"], readonly string[]> = {
  fcm: ["fcm", "gcm", "firebase", "android", "google"],
  apns: ["apns", "apn", "ios", "apple"],
  voip: ["voip", "apns_voip", "pushkit"],
};

/** The kind that a word means; `undefined` where there is none; `null` for a word that means another. */
export function kindOf(word: unknown): EstateItem["kind"] | undefined | null {
  if (typeof word !== "string" || word.trim() === "") return undefined;
  const found = Object.entries(WORDS).find(([, words]) => words.includes(word.trim().toLowerCase()));
  return (found?.[0] as EstateItem["kind"] | undefined) ?? null;
}
