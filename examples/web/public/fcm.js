// The two things that the app wants of Firebase Cloud Messaging. Without a Firebase project, a fake answers.
import config from "/config.js";
import * as fake from "/fake-fcm.js";

const SDK = "https://www.gstatic.com/firebasejs/13.2.0";

async function connect() {
  const { initializeApp } = await import(`${SDK}/firebase-app.js`);
  const sdk = await import(`${SDK}/firebase-messaging.js`);
  const worker = `/firebase-messaging-sw.js?config=${encodeURIComponent(JSON.stringify(config.firebase))}`;
  const serviceWorkerRegistration = await navigator.serviceWorker.register(worker);
  const messaging = sdk.getMessaging(initializeApp(config.firebase));
  return {
    isSupported: sdk.isSupported,
    getToken: () => sdk.getToken(messaging, { vapidKey: config.vapidKey, serviceWorkerRegistration }),
  };
}

let sdk;
const connected = () => {
  sdk ??= config.firebase === null ? Promise.resolve(fake) : connect();
  return sdk;
};

/** Whether this browser can get pushes at all. */
export async function isSupported() {
  return "Notification" in globalThis && (await connected()).isSupported();
}

/** The token of this browser's installation, whoever is logged in. It can be another one at each launch. */
export async function getToken() {
  return (await connected()).getToken();
}
