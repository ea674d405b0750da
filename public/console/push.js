// A test push by the sender that is bound to the registry; offered only where there is one.
import { app, call, userPath } from "./api.js";
import { action, confirmed, h, say, theirs } from "./dom.js";
import { answerWords, kindWords, platformWords } from "./words.js";

/** A button, and where what the providers answered will stand; nothing where no sender is bound. */
export function testPush(uid, count) {
  if (!app.sender || count === 0) return {};
  const results = h("div", { role: "status" });
  const push = action(async () => {
    const isWanted = await confirmed({
      title: "Send a test push?",
      text: [
        "A push with the title “Test” goes to each device of ",
        theirs(uid),
        " that is not muted, now. Nothing is changed or removed by it.",
      ],
      yes: "Send it",
    });
    if (!isWanted) return;
    const { devices } = await call("POST", userPath(uid, "/test"), {});
    results.replaceChildren(h("h4", {}, "What the providers answered"), h("ul", {}, devices.map(line)));
    say("The test push was sent.");
  });
  return { button: h("button", { onclick: push }, "Send a test push"), results };
}

function line({ device = {}, platform, kind, answer, code }) {
  const name = device.name ?? device.model ?? platformWords(platform);
  const word = code === undefined ? [] : [" (", theirs(code), ")"];
  return h("li", {}, theirs(name), `, ${kindWords(kind)}: ${answerWords(answer)}`, ...word);
}
