// What is on the page.
import * as devices from "/devices.js";
import * as push from "/push.js";
import { current, logIn, onChange } from "/session.js";

const [login, home, who, allow, list, logout, status] = [
  "login",
  "home",
  "who",
  "allow",
  "devices",
  "logout",
  "status",
].map((id) => document.getElementById(id));

const NOT_ALLOWED = {
  default: "Notifications are off.",
  denied: "This browser does not allow notifications of this page.",
  unsupported: "This browser has no notifications.",
};

async function show() {
  const user = current();
  login.hidden = user !== null;
  home.hidden = user === null;
  who.textContent = user?.uid ?? "";
  list.replaceChildren();
  if (user === null) return;
  await showPush().catch(() => {
    status.textContent = "Firebase cannot be reached. Come back to this page to try again.";
  });
  await showDevices();
}

async function showPush() {
  const allowed = await push.permission();
  allow.hidden = allowed !== "default";
  if (allowed !== "granted") status.textContent = NOT_ALLOWED[allowed];
  else showResult(await push.launch());
}

function showResult(result) {
  if (result === undefined) return;
  if (result.reason === "unauthorized") {
    // The session was ended: from another device, or by the back end.
    push.logOut();
    status.textContent = "You were logged out.";
    login.hidden = false;
    home.hidden = true;
  } else if (result.ok) status.textContent = "Notifications are on.";
  else status.textContent = result.retrying ? "Notifications will be on once there is a network." : result.reason;
}

async function showDevices() {
  const found = current() === null ? [] : await devices.list().catch(() => []);
  list.replaceChildren(...found.map(deviceItem));
}

function deviceItem({ id, name, current: isThis, muted }) {
  const item = document.createElement("li");
  item.append(`${name ?? "A device"}${isThis ? " (this one)" : ""} `);
  item.append(button(muted ? "Unmute" : "Mute", () => devices.mute(id, !muted)));
  if (!isThis)
    item.append(
      " ",
      button("Log out this device", () => devices.end(id)),
    );
  return item;
}

function button(text, act) {
  const element = document.createElement("button");
  element.textContent = text;
  element.addEventListener("click", async () => {
    await act().catch((error) => {
      status.textContent = error.message;
    });
    await showDevices();
  });
  return element;
}

login.addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    await logIn(new FormData(login).get("uid"));
    login.reset();
  } catch (error) {
    status.textContent = error.message;
  }
  await show();
});

allow.addEventListener("click", async () => {
  await push.askPermission();
  await show();
});

logout.addEventListener("click", async () => {
  const leaving = push.logOut();
  await show();
  const { pending } = await leaving;
  if (current() !== null) return;
  status.textContent =
    pending === 0 ? "Logged out." : "Logged out. The registry will hear of it when there is a network.";
});

onChange(show);
document.addEventListener("visibilitychange", async () => {
  if (document.visibilityState === "visible") await show();
});
await show();
