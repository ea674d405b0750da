// The key set of an issuer on workerd itself, where a request may not wait for the I/O of another one.
import { once } from "node:events";
import { createServer, type Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { afterAll, beforeAll, describe, inject, it } from "vitest";
import { type Server, serve } from "../../scripts/lib/workerd.ts";

const ISSUER = "https://login.example.com";
const { publicKey, privateKey } = await generateKeyPair("ES256");

let internet: HttpServer;
const requests: string[] = [];
/** When the issuer answers. */
const soon = (answer: () => void) => void setTimeout(answer, 200);
let whenAsked: (answer: () => void) => void = soon;
/** Apps with key sets of their own, which no test shares. */
const apps = Array.from({ length: 5 }, (_, n) => `app-${n}`);

let registry: Server;

beforeAll(async () => {
  const keySet = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: "key", alg: "ES256" }] });
  internet = createServer((request, response) => {
    requests.push(`${request.headers.host}${request.url}`);
    whenAsked(() => response.setHeader("content-type", "application/json").end(keySet));
  });
  internet.listen(0, "127.0.0.1");
  await once(internet, "listening");
  const jwt = { algorithms: ["ES256"], issuer: ISSUER, sessionClaim: "sid", maximumSessionDays: 30 };
  registry = await serve({
    bundle: inject("bundle"),
    bindings: Object.fromEntries(
      apps.map((appId, n) => [
        `APP_${n}`,
        { appId, identity: "jwt", jwt: { ...jwt, jwksUrl: `https://keys.example.com/${appId}` } },
      ]),
    ),
    outbound: `127.0.0.1:${(internet.address() as AddressInfo).port}`,
  });
});

afterAll(async () => {
  await registry?.stop();
  internet?.closeAllConnections();
  internet?.close();
});

async function list(appId: string, init: RequestInit = {}, kid = "key"): Promise<number> {
  const authToken = await new SignJWT({ sid: crypto.randomUUID() })
    .setProtectedHeader({ alg: "ES256", kid })
    .setIssuer(ISSUER)
    .setSubject(crypto.randomUUID())
    .setIssuedAt()
    .setExpirationTime("1h")
    .sign(privateKey);
  const response = await fetch(`${registry.url}/v2/tokens`, { headers: { appId, authToken }, ...init });
  await response.text();
  return response.status;
}

const asked = (appId: string) => requests.filter((each) => each === `keys.example.com/${appId}`).length;

describe("a key set on workerd", () => {
  it("is fetched once for 50 concurrent first requests", async ({ expect }) => {
    const statuses = await Promise.all(Array.from({ length: 50 }, () => list("app-0")));
    expect(statuses).toEqual(Array(50).fill(200));
    expect(await list("app-0")).toBe(200);
    expect(asked("app-0")).toBe(1);
  });

  it("reaches those who wait when the client of the first request is gone", async ({ expect }) => {
    const held = Promise.withResolvers<void>();
    whenAsked = (answer) => void held.promise.then(answer);
    const abort = new AbortController();
    const first = list("app-1", { signal: abort.signal }).catch((error: Error) => error.name);
    await expect.poll(() => asked("app-1")).toBe(1);
    const others = Array.from({ length: 20 }, () => list("app-1"));
    // So that they have come, and that the server knows of the end: nothing tells when.
    await new Promise((resolve) => setTimeout(resolve, 300));
    abort.abort();
    expect(await first).toBe("AbortError");
    await new Promise((resolve) => setTimeout(resolve, 100));
    whenAsked = soon;
    held.resolve();
    expect(await Promise.all(others)).toEqual(Array(20).fill(200));
    expect(asked("app-1")).toBe(1);
  });

  it("is not asked for again by a flood of tokens with made-up keys", async ({ expect }) => {
    const before = asked("app-0");
    const statuses = await Promise.all(Array.from({ length: 100 }, (_, n) => list("app-0", {}, `made-up-${n}`)));
    expect(statuses).toEqual(Array(100).fill(503));
    expect(asked("app-0")).toBe(before);
    expect(await list("app-0")).toBe(200);
  });

  it("is given up after 5 s of silence by all who wait, and a repeat helps", async ({ expect }) => {
    whenAsked = () => undefined;
    const startedAt = Date.now();
    expect(await Promise.all(Array.from({ length: 20 }, () => list("app-4")))).toEqual(Array(20).fill(503));
    expect(Date.now() - startedAt).toBeGreaterThan(4500);
    whenAsked = soon;
    const before = asked("app-4");
    await expect.poll(() => list("app-4"), { interval: 250 }).toBe(200);
    expect(asked("app-4")).toBe(before + 1);
  });

  it("is not shared between apps, even where two apps ask at once", async ({ expect }) => {
    const statuses = await Promise.all([...Array(10)].flatMap(() => [list("app-2"), list("app-3")]));
    expect(statuses).toEqual(Array(20).fill(200));
    expect([asked("app-2"), asked("app-3")]).toEqual([1, 1]);
  });

  it("leaves no complaint of the runtime in the log", ({ expect }) => {
    const complaints = registry.logs.filter((line) => /different request|hung|canceled|Uncaught|uncaught/.test(line));
    expect(complaints).toEqual([]);
  });
});
