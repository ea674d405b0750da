// Who is logged in: the same in all tabs of this browser.
const KEY = "session";

/** `{ uid, authToken }`, or `null`. */
export function current() {
  return JSON.parse(localStorage.getItem(KEY) ?? "null");
}

/** Throws an error whose message people can read. */
export async function logIn(uid) {
  const response = await fetch("/login", { method: "POST", body: JSON.stringify({ uid }) });
  const reply = await response.json();
  if (!response.ok) throw new Error(reply.message ?? "The login does not answer.");
  localStorage.setItem(KEY, JSON.stringify(reply));
}

export function forget() {
  localStorage.removeItem(KEY);
}

/** Calls back when another tab logged in or out. */
export function onChange(changed) {
  addEventListener("storage", ({ key }) => {
    if (key === KEY || key === null) changed();
  });
}
