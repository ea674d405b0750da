// Shows pushes while no tab of the app is open. FCM's SDK does it by itself for messages with a `notification`.
/* global firebase */
const SDK = "https://www.gstatic.com/firebasejs/13.2.0";
importScripts(`${SDK}/firebase-app-compat.js`, `${SDK}/firebase-messaging-compat.js`);
firebase.initializeApp(JSON.parse(new URL(location.href).searchParams.get("config")));
firebase.messaging();
