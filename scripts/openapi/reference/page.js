// The reference page without this script lacks the search and the copy buttons, and nothing else.
const status = document.getElementById("status");

for (const pre of document.querySelectorAll("pre.curl")) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.setAttribute("aria-label", `Copy: ${pre.dataset.name}`);
  button.addEventListener("click", () => copy(pre, button));
  pre.after(button);
}

// Where the page was served, calls can be sent.
for (const place of document.querySelectorAll(".url")) {
  if (location.protocol.startsWith("http")) place.textContent = location.origin;
}

async function copy(pre, button) {
  try {
    await navigator.clipboard.writeText(pre.textContent);
    button.textContent = status.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(pre);
    button.textContent = status.textContent = "Selected: copy it by hand";
  }
  setTimeout(() => {
    button.textContent = "Copy";
  }, 2000);
}

const search = document.getElementById("search");
search.closest("form").hidden = false;
search.closest("form").addEventListener("submit", (event) => event.preventDefault());
search.addEventListener("input", filter);

function filter() {
  const words = search.value.toLowerCase().split(/\s+/);
  const articles = [...document.querySelectorAll("article")];
  for (const article of articles) {
    const text = article.textContent.toLowerCase();
    article.hidden = !words.every((word) => text.includes(word));
    document.querySelector(`nav a[href="#${article.id}"]`).parentElement.hidden = article.hidden;
  }
  for (const group of document.querySelectorAll("main section[data-group], nav [data-group]")) {
    group.hidden = group.querySelector("article:not([hidden]), li:not([hidden])") === null;
  }
  const found = articles.filter(({ hidden }) => !hidden).length;
  status.textContent = search.value === "" ? "" : `${found} of ${articles.length} calls`;
}
