// Which page is shown: by the hash, so that a link to a user survives a reload. The key does not: whoever reloads signs in again.
import { app, enterByAccess, isByAccess, signIn, signOut } from "./api.js";
import { action, closeDialogs, h, say, show, theirs } from "./dom.js";
import { overview } from "./overview.js";
import { user } from "./user.js";

let shown = 0;

async function route() {
  shown += 1;
  const mine = shown;
  const isCurrent = () => mine === shown;
  const again = async () => {
    if (isCurrent()) await route();
  };
  closeDialogs();
  navigation();
  if (app === null) return askForKey();
  const [, page, uid] = location.hash.split("/");
  try {
    if (page === "users" && uid) await user(decoded(uid), isCurrent, again);
    else await overview(isCurrent);
  } catch (error) {
    if (isCurrent()) failed(error.message);
  }
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function failed(message) {
  show(
    "Trouble",
    h("h2", {}, "This could not be shown"),
    h("p", { class: "error", role: "alert" }, message),
    h("button", { onclick: route }, "Try again"),
  );
}

/** Why Cloudflare Access did not let the reader in, who may still have a key. */
let refusal;

function askForKey() {
  const appId = h("input", { name: "appId", required: true, autocomplete: "off", spellcheck: "false" });
  const apiKey = h("input", { name: "apiKey", type: "password", required: true, autocomplete: "off" });
  const signingIn = action(async () => {
    const [id, key] = [appId.value.trim(), apiKey.value.trim()];
    if (/[^\x21-\x7e]/.test(id + key))
      throw new Error("The app id or the API key holds a character that none has. Paste it again.");
    await signIn(id, key);
    apiKey.value = "";
    await route();
  });
  show(
    "Sign in",
    h("h2", {}, "Sign in"),
    ...(refusal === undefined ? [] : [h("p", { class: "error", role: "alert" }, `By Cloudflare Access: ${refusal}`)]),
    h("p", {}, "The key stays in the memory of this tab. It is gone when you close or reload it."),
    h(
      "form",
      { class: "column", onsubmit: signingIn },
      h("label", {}, "App id", appId),
      h("label", {}, "API key (scope sender or fullAccess)", apiKey),
      h("button", { class: "primary" }, "Sign in"),
    ),
  );
  appId.focus();
}

function navigation() {
  const nav = document.getElementById("nav");
  nav.hidden = app === null;
  if (app === null) return nav.replaceChildren();
  const leave = () => {
    if (isByAccess()) return location.assign("/cdn-cgi/access/logout");
    signOut();
    say("Signed out.");
    void route();
  };
  nav.replaceChildren(
    h("a", { href: "#/" }, "Overview"),
    choice(),
    h("span", { class: "quiet" }, isByAccess() ? "person " : "key ", theirs(app.key.name), ` (${app.key.scope})`),
    h("button", { onclick: leave }, "Sign out"),
  );
}

/** The app; of a person who may look at several, the choice among them. */
function choice() {
  const { apps = [] } = app.key;
  if (apps.length < 2) return h("span", { class: "quiet" }, "app ", theirs(app.appId));
  const options = apps.map((appId) => h("option", { value: appId, selected: appId === app.appId }, appId));
  const choose = action(async (select) => {
    try {
      await enterByAccess(select.value);
    } catch (error) {
      select.value = app.appId;
      throw error;
    }
    await route();
  });
  return h("select", { "aria-label": "App", onchange: choose }, options);
}

async function begin() {
  try {
    await enterByAccess();
  } catch (error) {
    refusal = error.message;
  }
  await route();
}

addEventListener("hashchange", route);
void begin();
