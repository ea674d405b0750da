// The client for apps, as a deployment serves it.
import { exports } from "cloudflare:workers";
import { describe, it } from "vitest";
import types from "../../public/client.d.ts?raw";
import source from "../../public/client.js?raw";

describe("the client for apps", () => {
  it("is served with its types, to every page and without a key, as a module that browsers take", async ({
    expect,
  }) => {
    for (const [path, text] of [
      ["/client.js", source],
      ["/client.d.ts", types],
    ] as const) {
      const reply = await exports.default.fetch(`https://registry.test${path}`);
      expect(await reply.text()).toBe(text);
      expect(reply.headers.get("access-control-allow-origin")).toBe("*");
      if (path.endsWith(".js")) expect(reply.headers.get("content-type")).toMatch(/^text\/javascript/);
    }
  });
});
