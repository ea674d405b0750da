// Elements. Text goes in as text nodes only, so nothing that the registry answers can become markup.

/** `h("a", { href: "#/" }, "text", child)`; a property that begins with `on` listens, `undefined` and `false` are left out. */
export function h(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== undefined && child !== null));
  return element;
}

/** Text of users: its direction is its own, whatever marks it holds. */
export function theirs(text) {
  return h("bdi", { dir: "auto" }, text);
}

/** A bar from 0 to 1, for what stands beside it as a number. */
export function bar(share) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 100 10");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  const rect = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  rect.setAttribute("width", String(100 * share));
  rect.setAttribute("height", "10");
  svg.append(rect);
  return svg;
}

/** Shows `children` as the page, and lets a screen reader begin there. */
export function show(title, ...children) {
  document.title = `${title}: push console`;
  const main = document.getElementById("content");
  main.replaceChildren(...children);
  main.focus({ preventScroll: true });
  scrollTo(0, 0);
}

/** What happens now, below the page; read out. */
export function say(text = "") {
  document.getElementById("status").textContent = text;
}

/** Ends what is said, if it is `text` still. */
export function unsay(text) {
  const status = document.getElementById("status");
  if (status.textContent === text) status.textContent = "";
}

/** A form's submit, or a button's click: once at a time, and what goes wrong is said beside it. */
export function action(work) {
  return async (event) => {
    event.preventDefault();
    const source = event.currentTarget;
    if (source.getAttribute("aria-busy") === "true") return;
    source.setAttribute("aria-busy", "true");
    try {
      await work(source);
    } catch (error) {
      say();
      await alertWith(error.message);
    } finally {
      source.removeAttribute("aria-busy");
    }
  };
}

/** Asks before something is done: answers whether it is wanted. `text`: texts and elements; `typed`: what must be typed to say yes. */
export function confirmed({ title, text, yes, typed }) {
  const input = h("input", { autocomplete: "off", spellcheck: "false", autofocus: true });
  const go = h("button", { class: "danger", value: "yes" }, yes);
  if (typed !== undefined) {
    go.disabled = true;
    input.addEventListener("input", () => {
      go.disabled = input.value !== typed;
    });
  }
  const field = typed === undefined ? null : h("label", {}, "Type ", theirs(typed), " to confirm", input);
  return dialog(
    title,
    h("p", {}, text),
    field,
    h("div", { class: "actions" }, go, h("button", { value: "no", autofocus: typed === undefined }, "Cancel")),
  );
}

function alertWith(text) {
  return dialog("This did not work", h("p", { class: "error" }, text), h("button", { value: "no" }, "Close"));
}

/** What a dialog that is open asks is answered with no: what it is about is no longer shown. */
export function closeDialogs() {
  for (const element of document.querySelectorAll("dialog")) element.close("no");
}

function dialog(title, ...children) {
  const heading = h("h2", { id: "dialog-title" }, title);
  const form = h("form", { method: "dialog" }, heading, ...children);
  const element = h("dialog", { "aria-labelledby": "dialog-title" }, form);
  const { promise, resolve } = Promise.withResolvers();
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const answer = event.submitter?.value ?? "no";
    // Not at its close, which comes later: what is wanted is done while the page that asked is shown.
    resolve(answer === "yes");
    element.close(answer);
  });
  element.addEventListener("close", () => {
    element.remove();
    resolve(false);
  });
  document.body.append(element);
  element.showModal();
  return promise;
}
