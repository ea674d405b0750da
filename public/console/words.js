// What the registry says, in words.
import { h } from "./dom.js";

const CHANGES = {
  registered: "Registered",
  taken_from_another_user: "Registered; another user of the device had the token before",
  taken_by_another_user: "Another user logged in on the device and took the token",
  displaced: "The device got another token in its place",
  rotated: "The device got a new token of the same installation",
  moved: "The same token came with a new login of this user",
  removed: "The app or a back end removed it",
  ended: "The session was ended by a back end, or from another device",
  logged_out: "The user logged out",
  muted: "The user muted the device",
  unmuted: "The user unmuted the device",
  pruned: "A provider called the token dead",
  evicted: "There was no more room: the oldest went",
  expired: "The app was not opened for too long",
};

/** What a provider's answer to a test push means. */
const ANSWERS = {
  delivered: "delivered. If nothing shows, look at the notification settings of the device and at the app",
  dead: "the token is dead. The app must register again",
  doubtful: "refused. The token may belong to another environment or project",
  not_about_the_token: "refused, but not because of the token. Look at the sender: payload, key or quota",
  unknown_code: "refused with a word that nobody is known to use",
  not_sent: "not pushed: another token of the device was, or this one is for calls",
};

const KINDS = { fcm: "FCM", apns: "APNs", voip: "APNs VoIP (calls)" };
const PLATFORMS = { ios: "iOS", android: "Android", web: "Web" };

export function changeWords({ change, code }) {
  return `${CHANGES[change] ?? change}${code === undefined ? "" : ` (${code})`}`;
}

export function answerWords(answer) {
  return ANSWERS[answer] ?? answer;
}

export function kindWords(kind) {
  return KINDS[kind] ?? kind;
}

export function platformWords(platform) {
  return PLATFORMS[platform] ?? platform;
}

/** A time in the reader's zone; the exact one on hover. */
export function time(at) {
  const exact = new Date(at).toISOString();
  const local = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" }).format(at);
  return h("time", { datetime: exact, title: exact }, local);
}

/** The beginning and the end of a token; all of it only where it is asked for. */
export function masked(token) {
  return token.length <= 12 ? "…" : `${token.slice(0, 4)}…${token.slice(-4)}`;
}
