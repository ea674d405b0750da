// What the pages of the console cost: calls of objects.
import { describe, it } from "vitest";
import page from "../../public/console/user.js?raw";
import { login, serverCall, uniqueToken } from "../support/client.ts";
import { metered } from "../support/meter.ts";

/** The calls by which the page of a user is shown, as the page has them. */
const CALLS = [
  ...(page.split("export async function user(")[1]?.split("\n}")[0] ?? "").matchAll(
    /call\("GET", userPath\(uid, "([^"]+)"\)\)/g,
  ),
].map(([, path]) => path);

describe("a user's page in the console", () => {
  it("costs at most three calls of objects, and no row written", async ({ expect }) => {
    const session = await login();
    await session.register({ fcmToken: uniqueToken() });
    expect(CALLS).toEqual(["/explain", "/push_tokens?includeMuted=true"]);
    const { calls, rowsWritten } = await metered(async () => {
      for (const path of CALLS) await serverCall("GET", `/v3/users/${session.uid}${path}`);
    });
    expect(calls).toEqual(["UserTokens.export", "UserTokens.list"]);
    expect(calls.length).toBeLessThanOrEqual(3);
    expect(rowsWritten).toBe(0);
  });
});
