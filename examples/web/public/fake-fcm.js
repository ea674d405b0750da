// Stands for FCM's SDK: one token per browser, until it is taken away (`localStorage.removeItem("fake-fcm-token")`).
const KEY = "fake-fcm-token";

export async function isSupported() {
  return true;
}

export async function getToken() {
  const token = localStorage.getItem(KEY) ?? `fake-${crypto.randomUUID()}`;
  localStorage.setItem(KEY, token);
  return token;
}
