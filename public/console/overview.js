// The whole app at a glance: counted in steps, with progress.
import { app, call, mayChange } from "./api.js";
import { action, bar, h, say, show, theirs } from "./dom.js";
import { kindWords, platformWords } from "./words.js";

export async function overview(isCurrent) {
  const counted = h("section", { "aria-label": "Counts" }, h("p", {}, "Counting …"));
  show("Overview", find(), counted, health(), settings());
  const sums = { users: 0, registrations: 0, muted: 0, byKind: {}, byPlatform: {}, byAge: {} };
  let cursor;
  do {
    const part = await call(
      "GET",
      `/v3/push_tokens/counts${cursor === undefined ? "" : `?cursor=${encodeURIComponent(cursor)}`}`,
    );
    if (!isCurrent()) return;
    add(sums, part);
    cursor = part.cursor;
    counted.replaceChildren(...shown(sums, cursor === undefined).flat());
  } while (cursor !== undefined);
}

function add(sums, part) {
  for (const name of ["users", "registrations", "muted"]) sums[name] += part[name];
  for (const name of ["byKind", "byPlatform", "byAge"]) {
    for (const [key, count] of Object.entries(part[name])) sums[name][key] = (sums[name][key] ?? 0) + count;
  }
}

function shown({ users, registrations, muted, byKind, byPlatform, byAge }, isDone) {
  const number = new Intl.NumberFormat();
  const ages = Object.entries(byAge).sort(([a], [b]) => (a === "more" ? 1 : b === "more" ? -1 : a - b));
  return [
    h("h2", {}, "Who can be pushed"),
    h(
      "p",
      {},
      `${number.format(users)} users hold ${number.format(registrations)} registrations, ${number.format(muted)} of them muted. `,
      isDone ? undefined : "Still counting …",
    ),
    table(
      "By kind of token",
      Object.entries(byKind).map(([kind, count]) => [kindWords(kind), count]),
      registrations,
    ),
    table(
      "By platform",
      Object.entries(byPlatform).map(([platform, count]) => [platformWords(platform), count]),
      registrations,
    ),
    table(
      "By days since the last launch",
      ages.map(([days, count], n) => [agesWords(Number(ages[n - 1]?.[0] ?? 0), days), count]),
      registrations,
    ),
  ];
}

function agesWords(from, to) {
  return to === "more" ? `${from} and more` : `${from} to ${to - 1}`;
}

function table(caption, rows, all) {
  const number = new Intl.NumberFormat();
  return [
    h("h3", {}, caption),
    h(
      "table",
      { "aria-label": caption },
      h(
        "tbody",
        {},
        rows.map(([name, count]) =>
          h(
            "tr",
            {},
            h("th", { scope: "row" }, name),
            h("td", { class: "number" }, number.format(count)),
            h("td", { class: "bar" }, bar(all === 0 ? 0 : count / all)),
          ),
        ),
      ),
    ),
  ];
}

/** A user by uid, or by a token; the token travels in a body, never in a URL. */
export function find() {
  const uid = h("input", { name: "uid", required: true, autocomplete: "off", spellcheck: "false", maxlength: "255" });
  const token = h("input", { name: "token", required: true, autocomplete: "off", spellcheck: "false" });
  const result = h("p", { role: "status" });
  const byToken = action(async () => {
    result.textContent = "";
    const { owners } = await call("POST", "/v3/push_tokens/owner", { token: token.value.trim() });
    if (owners.length === 1) go(owners[0].uid);
    else if (owners.length === 0) result.textContent = "Nobody holds this token now.";
    else result.replaceChildren("Held by ", ...owners.flatMap((owner) => [userLink(owner.uid), " "]));
  });
  return h(
    "section",
    { "aria-label": "Find a user" },
    h("h2", {}, "Find a user"),
    h(
      "form",
      {
        class: "row",
        onsubmit: (event) => {
          event.preventDefault();
          go(uid.value.trim());
        },
      },
      h("label", {}, "User id", uid),
      h("button", { class: "primary" }, "Why no push?"),
    ),
    h(
      "form",
      { class: "row", onsubmit: byToken },
      h("label", {}, "or a push token", token),
      h("button", {}, "Find its user"),
    ),
    result,
  );
}

/** Also to the user who is shown already: then anew. */
function go(uid) {
  if (location.hash === userHash(uid)) dispatchEvent(new HashChangeEvent("hashchange"));
  else location.hash = userHash(uid);
}

function userLink(uid) {
  return h("a", { href: userHash(uid) }, theirs(uid));
}

function userHash(uid) {
  return `#/users/${encodeURIComponent(uid)}`;
}

function health() {
  const list = h("ul");
  const check = action(async () => {
    list.replaceChildren();
    for (const [name, path] of [["The Worker", "/health"], ...(mayChange() ? [["The objects", "/health/deep"]] : [])]) {
      let outcome = "well";
      await call("GET", path).catch((error) => {
        outcome = error.message;
      });
      list.append(h("li", {}, `${name}: ${outcome}`));
    }
    say("Checked.");
  });
  return h(
    "section",
    { "aria-label": "Health" },
    h("h2", {}, "Health"),
    h("button", { onclick: check }, "Check now"),
    list,
  );
}

function inWords(value) {
  if (Array.isArray(value)) return value.join(", ");
  if (typeof value !== "object") return String(value);
  return Object.entries(value)
    .map(([name, each]) => `${name} ${each}`)
    .join(", ");
}

function settings() {
  const rows = Object.entries(app).filter(([name]) => name !== "key");
  return h(
    "section",
    { "aria-label": "Settings" },
    h("h2", {}, "Settings of this app"),
    h(
      "dl",
      {},
      rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, theirs(inWords(value)))]),
    ),
  );
}
