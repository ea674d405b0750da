// Which owner object knows a token: its number is part of a name, so it never changes.
import { describe, it } from "vitest";
import { tokenHash, tokenOwnersName } from "../../src/durable/names.ts";
import { OWNER_SHARDS } from "../../src/limits.ts";

const BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

describe("the number of a token's owner object", () => {
  it("is the first 8 bits of the hash, of which a beginning is enough", async ({ expect }) => {
    for (const [high, first] of [...BASE64URL].entries()) {
      for (const [low, second] of [...BASE64URL].entries()) {
        const shard = (high * 4 + Math.floor(low / 16)) % OWNER_SHARDS;
        expect(tokenOwnersName("acme", `${first}${second}`)).toBe(`acme:owners:${shard}`);
      }
    }
    const hash = await tokenHash("fcm", "token");
    expect(hash.slice(0, 8)).toBe("LknR4FVh");
    expect(tokenOwnersName("acme", hash)).toBe("acme:owners:46");
    expect(tokenOwnersName("acme", hash.slice(0, 8))).toBe("acme:owners:46");
  });
});
