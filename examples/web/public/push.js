// Keeps this browser registered for who is logged in, and for nobody else.
import { createRegistration } from "/client.js";
import config from "/config.js";
import * as fcm from "/fcm.js";
import { current, forget } from "/session.js";

/** The token that was handed to the registry's client for this login. */
const HANDED = "push-token";

const registration = createRegistration({
  url: config.registry,
  appId: config.appId,
  getAuthToken: () => current()?.authToken ?? null,
});

/** `unsupported`, or what the browser says: `default` (not asked yet), `granted`, `denied`. */
export async function permission() {
  return (await fcm.isSupported()) ? Notification.permission : "unsupported";
}

/** Asks the user. Browsers want this in a click. Answers as {@link permission}. */
export function askPermission() {
  return Notification.requestPermission();
}

/**
 * After a login, at each launch, and when the tab is looked at again: FCM may have another token by now. Answers the client's
 * result; `undefined` where there is nothing to register.
 */
export async function launch() {
  if (current() === null || (await permission()) !== "granted") return undefined;
  const fcmToken = await fcm.getToken();
  const isNew = localStorage.getItem(HANDED) !== fcmToken;
  const going = isNew
    ? registration.register({ fcmToken, platform: "web", device: { name: deviceName() } })
    : registration.refresh();
  localStorage.setItem(HANDED, fcmToken);
  return await going;
}

/** The client takes what it needs before this returns: the next user may log in at once. */
export function logOut() {
  const leaving = registration.logout();
  localStorage.removeItem(HANDED);
  forget();
  return leaving;
}

function deviceName() {
  const [browser = "Browser"] = navigator.userAgent.match(/Firefox|Edg|Chrome|Safari/) ?? [];
  const [os = "an unknown system"] = navigator.userAgent.match(/Android|iPhone|iPad|Windows|Mac OS X|Linux/) ?? [];
  return `${browser} on ${os}`;
}
