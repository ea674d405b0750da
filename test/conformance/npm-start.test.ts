// The lines for the SDK that `npm start` prints, run as they stand: in a page in Chromium, with the browser's own resolver, and in
// Node.
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { chromium } from "playwright-core";
import { describe, it, onTestFinished } from "vitest";
import { chromiumPath } from "../support/node/browser.ts";
import { type Local, pasted, section, start } from "../support/node/local.ts";

const TOKEN = "demo-web-token";
const LISTED = { ios: [], web: [TOKEN], android: [] };

/** What a sender sees of alice. */
async function seen({ url }: Local): Promise<string[]> {
  const headers = { appId: "demo", apikey: "demo-sender-key" };
  const reply = await fetch(`${url}/v3/users/alice/push_tokens`, { headers });
  const { data } = (await reply.json()) as { data: { pushTokens: { token: string }[] } };
  return data.pushTokens.map(({ token }) => token);
}

/** The origin of a page that has the SDK. */
async function pageWithSdk(): Promise<string> {
  const sdk = await readFile(createRequire(import.meta.url).resolve("@cometchat/chat-sdk-javascript"));
  const server = createServer(({ url }, response) => {
    if (url === "/CometChat.js") response.setHeader("content-type", "text/javascript").end(sdk);
    else response.setHeader("content-type", "text/html").end('<!doctype html><script src="/CometChat.js"></script>');
  }).listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  return `http://localhost:${(server.address() as AddressInfo).port}`;
}

describe("the lines that npm start prints", () => {
  it("register, list and log out in a page and in Node", async ({ expect }) => {
    const local = await start();

    const origin = await pageWithSdk();
    const browser = await chromium.launch({ executablePath: chromiumPath(), args: ["--no-sandbox", "--disable-gpu"] });
    onTestFinished(() => browser.close());
    const page = await (await browser.newContext({ ignoreHTTPSErrors: true })).newPage();
    const sent: string[] = [];
    page.on("request", (request) => sent.push(`${request.method()} ${request.url()}`));
    await page.goto(origin);
    const lines = section(local, "accept\nthe certificate:\n", "The same in Node:");
    expect(lines).toContain("CometChat.logout()");
    // Until its last line the token is there.
    const console = "const said = []; const console = { log: (value) => said.push(value) };";
    const body = lines.replace("await CometChat.logout();", "return said;");
    expect(await page.evaluate(`(async () => { ${console} ${body} })()`)).toEqual([LISTED]);
    expect(await seen(local)).toEqual([TOKEN]);
    await page.evaluate("(async () => { await CometChat.logout(); })()");
    expect(await seen(local)).toEqual([]);
    const here = `https://push-notification-us.localhost:${local.httpsPort}/`;
    const calls = sent.filter((each) => !each.includes(origin));
    expect(calls.filter((each) => !each.split(" ")[1]?.startsWith(here))).toEqual([]);

    const printed = await pasted(section(local, "The same in Node:\n", "\nEND\n").concat("\nEND\n"));
    expect(printed).toBe("{ ios: [], web: [ 'demo-web-token' ], android: [] }\n");
    expect(await seen(local)).toEqual([]);
  });

  it("do the same in Node with a stand-in of CometChat, where one host is overridden", async ({ expect }) => {
    const local = await start(["--cometchat"]);
    const lines = section(local, "The same in Node:\n", "\nEND\n");
    expect(lines).not.toContain("overrideAdminHost");
    expect(await pasted(`${lines}\nEND\n`)).toBe("{ ios: [], web: [ 'demo-web-token' ], android: [] }\n");
    expect(await seen(local)).toEqual([]);
  });
});
