// The two things that the app wants of Firebase Cloud Messaging. Without a Firebase project, a fake answers.
import config from "/config.js";
import * as fake from "/fake-fcm.js";

const SDK = "https://www.gstatic.com/firebasejs/13.2.0";

/** What `make` resolves to, made once; after a failure, made again. */
function once(make) {
  let made;
  return () => {
    made ??= make().catch((error) => {
      made = undefined;
      throw error;
    });
    return made;
  };
}

const load = once(() => import(`${SDK}/firebase-messaging.js`));

const connect = once(async () => {
  const { initializeApp } = await import(`${SDK}/firebase-app.js`);
  const sdk = await load();
  const worker = `/firebase-messaging-sw.js?config=${encodeURIComponent(JSON.stringify(config.firebase))}`;
  const serviceWorkerRegistration = await navigator.serviceWorker.register(worker);
  const messaging = sdk.getMessaging(initializeApp(config.firebase));
  return () => sdk.getToken(messaging, { vapidKey: config.vapidKey, serviceWorkerRegistration });
});

/** Whether this browser can get pushes at all. */
export async function isSupported() {
  if (!("Notification" in globalThis)) return false;
  return config.firebase === null ? fake.isSupported() : (await load()).isSupported();
}

/** The token of this browser's installation, whoever is logged in. It can be another one at each launch. */
export async function getToken() {
  return config.firebase === null ? fake.getToken() : (await connect())();
}
