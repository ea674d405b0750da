// One user: the verdict first, then what it rests on, then what can be done. Two calls.
import { call, mayChange, userPath } from "./api.js";
import { action, confirmed, h, say, show, theirs } from "./dom.js";
import { find } from "./overview.js";
import { testPush } from "./push.js";
import { changeWords, kindWords, masked, platformWords, time } from "./words.js";

/** `again` shows the page anew, if it is shown still. */
export async function user(uid, isCurrent, again) {
  show(uid, h("h2", {}, theirs(uid)), h("p", {}, "Looking …"));
  const [explained, { pushTokens }] = await Promise.all([
    call("GET", userPath(uid, "/explain")),
    call("GET", userPath(uid, "/push_tokens?includeMuted=true")),
  ]);
  if (!isCurrent()) return;
  show(
    uid,
    h("h2", {}, theirs(explained.uid)),
    verdict(explained),
    devices(explained, pushTokens, again),
    record(explained),
    mayChange() ? whole(explained.uid, explained.devices.length, again) : readOnly(),
    find(),
  );
}

/** What a registration came with says nothing of why there is no push. */
const WITHOUT_CAUSE = ["ok", "all_suspect"];

function verdict({ verdict: { code, sentence }, next, evidence }) {
  const last = WITHOUT_CAUSE.includes(code) ? undefined : evidence.at(-1);
  return h(
    "section",
    { class: "verdict", "aria-label": "Verdict" },
    h("p", { class: "sentence" }, sentence),
    last === undefined ? undefined : h("p", {}, time(last.at), `: ${changeWords(last)}.`),
    h("p", {}, h("strong", {}, "What to do: "), next),
    h("p", { class: "quiet" }, "Verdict: ", h("code", {}, code)),
  );
}

function devices({ uid, devices: all }, tokens, again) {
  if (all.length === 0)
    return h("section", { "aria-label": "Devices" }, h("h3", {}, "Devices"), h("p", {}, "None is registered now."));
  return h(
    "section",
    { "aria-label": "Devices" },
    h("h3", {}, `Devices (${all.length})`),
    all.map((device) =>
      card(
        uid,
        device,
        tokens.filter(({ sessionId }) => sessionId === device.id),
        again,
      ),
    ),
  );
}

const FACTS = {
  model: "Model",
  os: "System",
  appVersion: "App version",
  locale: "Language",
  environment: "APNs environment",
  bundleId: "Bundle id",
  id: "Device id",
};

function card(uid, device, tokens, again) {
  const facts = device.device ?? {};
  const name = facts.name ?? facts.model ?? device.platforms.map(platformWords).join(", ");
  const marks = [
    ...(device.muted ? ["muted by the user"] : []),
    ...(device.suspect ? ["suspect: a provider reported trouble"] : []),
  ];
  const row = (term, ...value) => [h("dt", {}, term), h("dd", {}, ...value)];
  return h(
    "article",
    { class: "card" },
    h("h4", {}, theirs(name)),
    h(
      "dl",
      {},
      row("Platform", device.platforms.map(platformWords).join(", ")),
      marks.length === 0 ? [] : row("State", marks.join("; ")),
      row("First seen", time(device.firstSeenAt)),
      row("Last seen", time(device.lastSeenAt)),
      Object.entries(FACTS).flatMap(([field, term]) =>
        facts[field] === undefined ? [] : row(term, theirs(facts[field])),
      ),
      row("Session", h("code", {}, device.id)),
      tokens.flatMap((token) => row(kindWords(token.kind), tokenText(uid, token, again))),
    ),
    mayChange() ? h("div", { class: "actions" }, endOne(uid, device, name, again)) : undefined,
  );
}

function tokenText(uid, { token, kind, suspect }, again) {
  const text = h("code", {}, masked(token));
  const reveal = h("button", { type: "button" }, "Show");
  reveal.addEventListener("click", () => {
    const isHidden = reveal.textContent === "Show";
    text.textContent = isHidden ? token : masked(token);
    reveal.textContent = isHidden ? "Hide" : "Show";
  });
  const copy = action(async () => {
    await navigator.clipboard.writeText(token).catch(() => {
      throw new Error("The browser does not let this page copy. Show the token and copy it by hand.");
    });
    say("Copied.");
  });
  const remove = action(async () => {
    const isWanted = await confirmed({
      title: "Remove this registration?",
      text: [
        `Senders no longer get this ${kindWords(kind)} token of `,
        theirs(uid),
        ". The user stays logged in, and the app may register it again at its next launch.",
      ],
      yes: "Remove it",
    });
    if (!isWanted) return;
    await call("POST", userPath(uid, "/push_tokens/remove"), { token, kind });
    await again();
    say("Removed.");
  });
  return [
    text,
    suspect ? " suspect " : " ",
    reveal,
    " ",
    h("button", { type: "button", onclick: copy }, "Copy"),
    " ",
    mayChange() ? h("button", { type: "button", class: "danger", onclick: remove }, "Remove") : undefined,
  ];
}

function endOne(uid, device, name, again) {
  const end = action(async () => {
    const isWanted = await confirmed({
      title: "End this session?",
      text: [
        "“",
        theirs(name),
        "” of ",
        theirs(uid),
        " gets no more pushes, and can never register with this login again. The user must log in anew there.",
      ],
      yes: "End the session",
    });
    if (!isWanted) return;
    await call("DELETE", userPath(uid, `/sessions/${encodeURIComponent(device.id)}`));
    await again();
    say("The session has ended.");
  });
  return h("button", { class: "danger", onclick: end }, "End this session");
}

function record({ changes, evidence }) {
  const marked = new Set(evidence.map((each) => JSON.stringify(each)));
  const line = (change) => {
    const isEvidence = marked.has(JSON.stringify(change));
    return h(
      "li",
      { class: isEvidence ? "evidence" : undefined },
      time(change.at),
      ` ${changeWords(change)}. `,
      isEvidence ? "The verdict rests on this. " : undefined,
      h(
        "span",
        { class: "quiet" },
        `${kindWords(change.kind)}, ${platformWords(change.platform)}, token `,
        h("code", {}, change.token),
        ", session ",
        h("code", {}, change.session),
      ),
    );
  };
  return h(
    "section",
    { "aria-label": "What happened" },
    h("h3", {}, "What happened, newest first"),
    changes.length === 0
      ? h("p", {}, "Nothing in the last 30 days.")
      : h("ol", { class: "record", reversed: true }, changes.toReversed().map(line)),
  );
}

function whole(uid, count, again) {
  const endAll = action(async () => {
    const isWanted = await confirmed({
      title: "End all sessions?",
      text: [`All devices (${count}) of `, theirs(uid), " get no more pushes, and the user must log in anew on each."],
      yes: "End all sessions",
    });
    if (!isWanted) return;
    await call("DELETE", userPath(uid, "/sessions"));
    await again();
    say("All sessions have ended.");
  });
  const erase = action(async () => {
    const isWanted = await confirmed({
      title: "Erase this user?",
      text: [
        "Everything held about ",
        theirs(uid),
        " is deleted, the record too, and all sessions end. This cannot be undone.",
      ],
      yes: "Erase the user",
      typed: uid,
    });
    if (!isWanted) return;
    await call("DELETE", userPath(uid), { uid });
    await again();
    say("The user is erased.");
  });
  const download = action(async () => {
    const data = await call("GET", userPath(uid, "/export"));
    const url = URL.createObjectURL(new Blob([JSON.stringify(data, null, 2)], { type: "application/json" }));
    h("a", { href: url, download: "push-registrations.json" }).click();
    URL.revokeObjectURL(url);
    say("The export was downloaded. It holds push tokens: keep it safe.");
  });
  const test = testPush(uid, count);
  return h(
    "section",
    { "aria-label": "Actions" },
    h("h3", {}, "Actions"),
    h(
      "div",
      { class: "actions" },
      test.button,
      h("button", { onclick: download }, "Download the export"),
      h("button", { class: "danger", onclick: endAll }, "End all sessions"),
      h("button", { class: "danger", onclick: erase }, "Erase the user"),
    ),
    test.results,
  );
}

function readOnly() {
  return h(
    "p",
    { class: "quiet" },
    "This key may look, not change: a key of the scope fullAccess offers actions here.",
  );
}
