// Whether the subjects answer alike: who says less is faster for nothing.
import { clientHeaders, SERVER_HEADERS } from "./logins.ts";
import type { Subject } from "./subjects.ts";

/** Headers that the HTTP server adds, not the application. */
const OF_THE_SERVER = ["connection", "content-length", "date", "keep-alive", "transfer-encoding", "vary"];

/** @throws if a subject's replies differ in headers or fields from those of the registry */
export async function checkAlike(subjects: Subject[]): Promise<void> {
  const replies = new Map<Subject, string[]>();
  for (const subject of subjects) replies.set(subject, await shapes(subject));
  const own = subjects.findIndex(({ name }) => name === "registry");
  const expected = [...replies.values()][own] ?? [];
  for (const [{ name }, shown] of replies) {
    for (const [i, shape] of shown.entries()) {
      if (shape !== expected[i])
        throw new Error(`${name} answers otherwise than the registry:\n${shape}\n${expected[i]}`);
    }
  }
}

/** What each operation answers; of the floor, which does not remove, the first two. */
async function shapes({ name, url }: Subject): Promise<string[]> {
  // The load generator asks for no compression either.
  const identity = { "accept-encoding": "identity" };
  const client = { ...clientHeaders("alike", "alike-phone"), ...identity };
  const register = { method: "POST", headers: client, body: JSON.stringify({ fcmToken: "alike-token" }) };
  const lookup = {
    method: "POST",
    headers: { ...SERVER_HEADERS, ...identity },
    body: JSON.stringify({ uids: ["alike", "nobody"] }),
  };
  const shown = [
    await shape(fetch(`${url}/v2/tokens`, register)),
    await shape(fetch(`${url}/v2/tokens`, { headers: client })),
  ];
  if (name === "floor") return shown;
  return [
    ...shown,
    await shape(fetch(`${url}/v3/push_tokens/lookup`, lookup)),
    await shape(fetch(`${url}/v2/tokens`, { method: "DELETE", headers: client, body: '{"all":true}' })),
    await shape(fetch(`${url}/v3.0/me`, { method: "DELETE", headers: client })),
  ];
}

/** Status, headers and body, without what differs from call to call. */
async function shape(answer: Promise<Response>): Promise<string> {
  const reply = await answer;
  const headers = [...reply.headers].filter(([name]) => !OF_THE_SERVER.includes(name));
  const body = JSON.stringify(await reply.json(), (key, value) =>
    key === "unregisterTicket" || key === "registeredAt" || key === "refreshedAt" ? typeof value : value,
  );
  return JSON.stringify({
    status: reply.status,
    headers: headers.map(([name, value]) =>
      name === "x-request-id" ? name : `${name}: ${value.replace("; charset=utf-8", "")}`,
    ),
    body,
  });
}
