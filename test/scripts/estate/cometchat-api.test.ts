// CometChat's REST API where it answers what it should not: what is refused, what is asked again, and when a list has ended.
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, it, onTestFinished } from "vitest";
import { CometChatApi } from "../../../scripts/estate/cometchat/api.ts";
import { CommandError } from "../../../scripts/lib/command.ts";

/** A CometChat that answers as `reply` says; what it was asked, and what the user of the API was told. */
async function start(reply: (response: ServerResponse, call: number) => void, { waitMs = 1 } = {}) {
  const asked: string[] = [];
  const said: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? "");
    response.setHeader("content-type", "application/json");
    reply(response, asked.length);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v3`;
  const how = { url, apiKey: "key", callsPerMinute: 20_000, repeats: 2, waitMs };
  return { api: new CometChatApi(how, (line) => said.push(line)), asked, said };
}

const json = (response: ServerResponse, body: object) => response.end(JSON.stringify(body));
const users = (uids: readonly string[]) => uids.map((uid) => ({ uid }));

describe("a list that is none", () => {
  const bodies = [{ data: {} }, { data: "" }, { data: null }, { data: { users: [] } }];

  it("is refused, whichever list was asked for", async ({ expect }) => {
    for (const body of [...bodies, { data: { pushTokens: {} } }]) {
      const calls = [
        (api: CometChatApi) => api.users(1),
        (api: CometChatApi) => api.authTokens("ann"),
        (api: CometChatApi) => api.pushTokens("secret-of-ann"),
      ];
      for (const call of calls) {
        const { api, asked } = await start((response) => json(response, body));
        const error = await call(api).catch((thrown: unknown) => thrown);
        expect(error).toBeInstanceOf(CommandError);
        expect((error as Error).message).toMatch(/^CometChat's answer is not the shape of a list of/);
        expect(asked).toHaveLength(1);
      }
    }
  });
});

describe("the last page", () => {
  it("is the first empty one where CometChat does not say how many there are", async ({ expect }) => {
    const paginations = [undefined, { current_page: 1 }, { total_pages: "1" }, { total_pages: null }];
    for (const pagination of paginations) {
      const { api } = await start((response) => json(response, { data: users(["ann"]), meta: { pagination } }));
      expect(await api.users(1)).toEqual({ items: ["ann"], isLast: false });
    }
    const pages = [["one", "two"], ["three"], []];
    const { api, asked } = await start((response, call) =>
      json(response, { data: (pages[call - 1] ?? []).map((authToken) => ({ authToken })) }),
    );
    expect(await api.authTokens("ann")).toEqual(["one", "two", "three"]);
    expect(asked).toHaveLength(3);
  });

  it("is the one that CometChat says, however short pages are", async ({ expect }) => {
    const { api } = await start((response, call) =>
      json(response, { data: users([`user-${call}`]), meta: { pagination: { current_page: call, total_pages: 2 } } }),
    );
    expect(await api.users(1)).toMatchObject({ isLast: false });
    expect(await api.users(2)).toMatchObject({ isLast: true });
  });
});

describe("a page that is the one before it", () => {
  const endless: [string, (api: CometChatApi) => Promise<unknown>, object[]][] = [
    ["users", readUsers, users(["ann", "ben"])],
    ["things without a uid", readUsers, [{ id: 1 }]],
    ["auth tokens", (api) => api.authTokens("ann"), [{ authToken: "one" }, { authToken: "two" }]],
  ];

  it.for(endless)("ends the reading of %s", async ([, read, list], { expect }) => {
    const { api, asked } = await start((response, call) =>
      json(response, { data: call % 2 === 0 ? list.toReversed() : list }),
    );
    await expect(read(api)).rejects.toThrow(
      new CommandError("CometChat answered page 2 with what page 1 has: is that CometChat?"),
    );
    expect(asked).toHaveLength(2);
  });

  it("is not one that has some of it, because somebody came meanwhile", async ({ expect }) => {
    const pages = [["one", "two"], ["two"], []];
    const { api } = await start((response, call) => json(response, { data: users(pages[call - 1] ?? []) }));
    expect(await readUsers(api)).toEqual(["one", "two", "two"]);
  });
});

async function readUsers(api: CometChatApi): Promise<string[]> {
  const found: string[] = [];
  for (let page = 1; ; page += 1) {
    const { items, isLast } = await api.users(page);
    found.push(...items);
    if (isLast) return found;
  }
}

describe("a reply that comes in part", () => {
  const whole = JSON.stringify({ data: users(["ann"]) });
  const half = whole.slice(0, whole.length / 2);

  it("is asked for again, where the connection breaks and where it ends as if that were all", async ({ expect }) => {
    const breaks = [
      (response: ServerResponse) => {
        response.writeHead(200, { "content-length": whole.length });
        response.write(half, () => response.destroy());
      },
      (response: ServerResponse) => response.end(half),
    ];
    for (const breakOff of breaks) {
      const { api, asked } = await start((response, call) => (call < 3 ? breakOff(response) : response.end(whole)));
      expect(await api.users(1)).toMatchObject({ items: ["ann"] });
      expect(asked).toHaveLength(3);
      const without = await start(breakOff);
      await expect(without.api.users(1)).rejects.toThrow(CommandError);
      expect(without.asked).toHaveLength(3);
    }
  });

  it("is refused at once where it was never meant as JSON", async ({ expect }) => {
    const { api, asked } = await start((response) => {
      response.setHeader("content-type", "text/html");
      response.end("<html>");
    });
    await expect(api.users(1)).rejects.toThrow("is that CometChat?");
    expect(asked).toHaveLength(1);
  });
});

it("waits longer each time where Retry-After names no time", async ({ expect }) => {
  for (const retryAfter of ["0", "-5", "soon"]) {
    const times: number[] = [];
    const { api } = await start(
      (response, call) => {
        times.push(performance.now());
        if (call === 3) json(response, { data: users(["ann"]) });
        else response.writeHead(429, { "retry-after": retryAfter }).end("{}");
      },
      { waitMs: 100 },
    );
    await api.users(1);
    const [first = 0, second = 0, third = 0] = times;
    // Timers may fire a little early.
    expect(second - first).toBeGreaterThan(95);
    expect(third - second).toBeGreaterThan(190);
  }
});

it.for([429, 500, 503])("waits as long as a %i asks", async (status, { expect }) => {
  const times: number[] = [];
  const { api, said } = await start((response, call) => {
    times.push(performance.now());
    if (call === 2) json(response, { data: users(["ann"]) });
    else response.writeHead(status, { "retry-after": "1" }).end("{}");
  });
  await api.users(1);
  const [first = 0, second = 0] = times;
  expect(second - first).toBeGreaterThan(990);
  // A 429 is no fault.
  expect(said.some((line) => line.startsWith("Asked again"))).toBe(status !== 429);
});

it("says the first failure at once, and no other", async ({ expect }) => {
  const { api, said } = await start((response, call) => {
    if (call === 3) json(response, { data: users(["ann"]) });
    else response.writeHead(call === 1 ? 503 : 502).end("{}");
  });
  await api.users(1);
  expect(said).toEqual([expect.stringMatching(/^Asked again, up to 2 times each: CometChat answered 503/)]);
});
