// Batches on their way to a registry that is slow, busy or away: what is repeated, when, and what is said of it.
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, it, onTestFinished } from "vitest";
import type { EstateItem } from "../../../scripts/estate/item.ts";
import { Sender } from "../../../scripts/estate/sending.ts";
import { CommandError } from "../../../scripts/lib/command.ts";

type Reply = (items: EstateItem[], response: ServerResponse, call: number) => void;

/** A registry that answers as `reply` says; and the sizes of the batches that it got. */
async function registry(reply: Reply) {
  const sizes: number[] = [];
  const server = createServer(async (request, response) => {
    let text = "";
    for await (const chunk of request) text += chunk;
    const { items } = JSON.parse(text);
    sizes.push(items.length);
    reply(items, response, sizes.length);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const said: string[] = [];
  const target = { url: `http://127.0.0.1:${port}`, appId: "acme", apiKey: "key" };
  const sender = (repeats = 5) => new Sender(target, { repeats, waitMs: 1 }, (line) => said.push(line));
  return { url: target.url, sizes, said, sender };
}

function answer(response: ServerResponse, outcomes: readonly string[]): void {
  response.end(JSON.stringify({ data: { items: outcomes.map((outcome) => ({ outcome })) } }));
}

function refuse(response: ServerResponse, status: number, headers: Record<string, string> = {}): void {
  response.writeHead(status, headers);
  response.end(JSON.stringify({ error: { code: "ERR", message: "not now" } }));
}

const items = (n: number): EstateItem[] =>
  Array.from({ length: n }, (_, i) => ({ uid: `user-${i}`, kind: "fcm", token: `token-${i}` }));

const counted = (answers: { outcome: string }[]) =>
  Object.fromEntries([...Map.groupBy(answers, ({ outcome }) => outcome)].map(([name, of]) => [name, of.length]));

describe("a sender", () => {
  it("sends what was unavailable again, in batches of half the size, and says so", async ({ expect }) => {
    // As a free plan does: 50 objects per request.
    const { sizes, said, sender } = await registry((batch, response) => {
      answer(
        response,
        batch.map((_, i) => (i < 50 ? "imported" : "unavailable")),
      );
    });
    expect(counted(await sender().send(items(500)))).toEqual({ imported: 500 });
    expect(sizes[0]).toBe(500);
    expect(sizes.at(-1)).toBeLessThanOrEqual(62);
    expect(said[0]).toBe("Some items were unavailable: batches of 250 from now on.");
  });

  it("sends shorter calls where something before the registry takes no longer ones", async ({ expect }) => {
    const { sizes, said, sender } = await registry((batch, response) => {
      if (batch.length > 130 || batch.some(({ uid }) => uid === "user-7")) {
        response.writeHead(413, { "content-type": "text/html" });
        response.end("<html>413 Request Entity Too Large</html>");
      } else {
        answer(
          response,
          batch.map(() => "imported"),
        );
      }
    });
    expect(counted(await sender().send(items(500)))).toEqual({ imported: 499, invalid: 1 });
    expect(sizes.slice(0, 3)).toEqual([500, 250, 125]);
    expect(said[0]).toBe("The calls were too long: batches of 250 from now on.");
  });

  it("repeats a call whose answer ends too early", async ({ expect }) => {
    const { sizes, sender } = await registry((batch, response, call) => {
      if (call > 1) return answer(response, [...batch.map(() => "already")]);
      response.writeHead(200, { "content-length": "5000" });
      response.write('{"data":', () => response.destroy());
    });
    // The first call may have brought them.
    expect(counted(await sender().send(items(3)))).toEqual({ imported: 3 });
    expect(sizes).toEqual([3, 3]);
  });

  it.for(["<html>Log in to the Wi-Fi</html>", "{}", '{"data":{"items":"many"}}', ""])(
    "ends where an answer is none of a registry: %s",
    async (text, { expect }) => {
      const { sender } = await registry((_, response) => void response.end(text));
      await expect(sender().send(items(3))).rejects.toThrow(
        new CommandError("The registry answered 200: nothing that a registry says: is that one?"),
      );
    },
  );

  it("ends where a proxy answers in words of its own, or names another host, which never hears of the key", async ({
    expect,
  }) => {
    const words = await registry((_, response) => void response.writeHead(403).end('{"error":"blocked"}'));
    await expect(words.sender().send(items(3))).rejects.toThrow(
      /^The registry answered 403: nothing that a registry says/,
    );
    const other = await registry((_, response) => answer(response, ["imported", "imported", "imported"]));
    const moved = await registry((_, response) => {
      response.writeHead(307, { location: `${other.url}/v3/push_tokens/import` }).end();
    });
    await expect(moved.sender(0).send(items(3))).rejects.toThrow(/^The registry does not answer: .*redirect/);
    expect(other.sizes).toEqual([]);
  });

  it("grows its batches again when there is no more trouble", async ({ expect }) => {
    const { sender } = await registry((batch, response, call) => {
      answer(
        response,
        batch.map(() => (call === 1 ? "unavailable" : "imported")),
      );
    });
    const slowed = sender();
    await slowed.send(items(500));
    expect(slowed.size).toBe(250);
    for (let n = 0; n < 20; n += 1) await slowed.send(items(1));
    expect(slowed.size).toBe(500);
  });

  it("waits as long as a 429 says", async ({ expect }) => {
    const { sizes, said, sender } = await registry((batch, response, call) => {
      if (call === 1) refuse(response, 429, { "retry-after": "1" });
      else
        answer(
          response,
          batch.map(() => "imported"),
        );
    });
    const startedAt = performance.now();
    expect(counted(await sender().send(items(3)))).toEqual({ imported: 3 });
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(990);
    expect([sizes, said]).toEqual([[3, 3], ["The registry asks to wait: 1 s."]]);
  });

  it("repeats after a 503 and a lost connection; what the first call may have stored counts as imported", async ({
    expect,
  }) => {
    const { sender } = await registry((batch, response, call) => {
      if (call === 1) refuse(response, 503);
      else if (call === 2) response.destroy();
      else
        answer(
          response,
          batch.map(() => "already"),
        );
    });
    expect(counted(await sender().send(items(3)))).toEqual({ imported: 3 });
  });

  it("answers `unavailable` for what does not get through in the end", async ({ expect }) => {
    const { sizes, sender } = await registry((batch, response) => {
      answer(
        response,
        batch.map(({ uid }) => (uid === "user-1" ? "unavailable" : "imported")),
      );
    });
    expect(counted(await sender(3).send(items(3)))).toEqual({ imported: 2, unavailable: 1 });
    expect(sizes).toEqual([3, 1, 1, 1]);
  });

  it("gives up, with the registry's own words, where a repeat does not help", async ({ expect }) => {
    const refusing = await registry((_, response) => refuse(response, 401));
    await expect(refusing.sender().send(items(1))).rejects.toThrow(
      new CommandError("The registry answered 401: ERR, not now"),
    );
    expect(refusing.sizes).toEqual([1]);
    const busy = await registry((_, response) => refuse(response, 503));
    await expect(busy.sender(2).send(items(1))).rejects.toThrow(CommandError);
    expect(busy.sizes).toEqual([1, 1, 1]);
  });
});
