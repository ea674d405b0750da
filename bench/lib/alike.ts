// Whether the subjects answer alike: who says less is faster for nothing.
import { clientHeaders } from "./logins.ts";
import type { Subject } from "./subjects.ts";

/** Headers that the HTTP server adds, not the application. */
const OF_THE_SERVER = ["connection", "content-length", "date", "keep-alive", "transfer-encoding", "vary"];

/** @throws if a subject's replies to a registration and to a list differ in headers or fields from those of the first */
export async function checkAlike(subjects: Subject[]): Promise<void> {
  const replies = await Promise.all(subjects.map(async ({ url }) => JSON.stringify(await shapes(url))));
  for (const [i, reply] of replies.entries()) {
    if (reply !== replies[0]) throw new Error(`${subjects[i]?.name} answers otherwise:\n${reply}\n${replies[0]}`);
  }
}

async function shapes(url: string) {
  // The load generator asks for no compression either.
  const headers = { ...clientHeaders("alike", "alike-phone"), "accept-encoding": "identity" };
  const body = JSON.stringify({ fcmToken: "alike-token" });
  return [
    await shape(await fetch(`${url}/v2/tokens`, { method: "POST", headers, body })),
    await shape(await fetch(`${url}/v2/tokens`, { headers })),
  ];
}

async function shape(reply: Response) {
  const { data } = (await reply.json()) as { data: object };
  const headers = [...reply.headers].filter(([name]) => !OF_THE_SERVER.includes(name));
  return {
    status: reply.status,
    headers: headers.map(([name, value]) =>
      name === "x-request-id" ? name : `${name}: ${value.replace("; charset=utf-8", "")}`,
    ),
    // A ticket differs in its contents, a list does not.
    data: Object.entries(data).map(([name, value]) => (name === "unregisterTicket" ? name : [name, value])),
  };
}
