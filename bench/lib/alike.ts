// Whether the subjects answer alike: who says less is faster for nothing.
import { type Api, ask, pages, REGISTRY_API } from "./api.ts";
import type { LoadRequest } from "./load.ts";
import { clientHeaders, SERVER_HEADERS } from "./logins.ts";
import type { Subject } from "./subjects.ts";

/** Headers that the HTTP server adds, not the application. */
const OF_THE_SERVER = ["connection", "content-length", "date", "keep-alive", "transfer-encoding", "vary"];

/**
 * @throws if a subject names other tokens than the registry, or if one of the same API answers with other headers or fields
 */
export async function checkAlike(subjects: Subject[]): Promise<void> {
  await compare(
    subjects.filter(({ api }) => api === REGISTRY_API),
    shapes,
  );
  await compare(
    subjects.filter(({ name }) => name !== "floor"),
    contents,
  );
}

/**
 * Each answer must be that of the registry; where it has none, that of the first who has. A subject may answer less: then the last
 * ones are missing.
 */
async function compare(subjects: Subject[], answers: (subject: Subject) => Promise<string[]>): Promise<void> {
  const replies = new Map<Subject, string[]>();
  for (const subject of subjects) replies.set(subject, await answers(subject));
  const own = subjects.findIndex(({ name }) => name === "registry");
  const expected = [...([...replies.values()][own] ?? [])];
  for (const [{ name }, shown] of replies) {
    for (const [i, answer] of shown.entries()) {
      expected[i] ??= answer;
      if (answer !== expected[i]) throw new Error(`${name} answers otherwise than others:\n${answer}\n${expected[i]}`);
    }
  }
}

/** Which tokens are named, in whatever form: in a list and in a lookup, the same after a handover, and in pages of all users. */
async function contents({ api, url, logIn }: Subject): Promise<string[]> {
  const logins = [
    { uid: "alike-one", session: "alike-one-phone" },
    { uid: "alike-two", session: "alike-two-phone" },
    { uid: "alike-two", session: "alike-two-tablet" },
  ];
  const taker = { uid: "alike-one", session: "alike-one-tablet" };
  await logIn?.([...logins, taker]);
  const phones = logins.map(api.phone);
  const told = async (request: LoadRequest): Promise<unknown> => {
    const { status, reply } = await ask(url, request);
    if (status < 200 || status > 299) throw new Error(`${request.method} ${request.path} answered ${status}`);
    return reply;
  };
  const seen = async () => [
    ...(await Promise.all(phones.map(async (phone) => JSON.stringify(api.listed(await told(phone.list())).sort())))),
    tokensIn([...api.found(await told(api.lookup(["alike-two", "nobody", "alike-one"])))]),
  ];
  for (const [i, phone] of phones.entries()) await told(phone.register({ fcmToken: `alike-token-${i}` }));
  for (const [i, phone] of phones.entries()) await told(phone.registerAgain({ fcmToken: `alike-token-${i}` }));
  const before = await seen();
  // The first user logs in on the second one's tablet.
  await told(api.phone(taker).register({ fcmToken: "alike-token-2" }));
  const after = await seen();
  const paged = (await ask(url, api.page(1, null))).status === 404 ? [] : [await allTokens(api, url)];
  for (const request of api.clear(logins)) await told(request);
  return [...before, ...after, ...paged];
}

/** In small pages: what is between two of them must not be lost. */
async function allTokens(api: Api, url: string): Promise<string> {
  const users: [string, string[]][] = [];
  for await (const { reply } of pages(api, url, 1)) users.push(...api.found(reply));
  return tokensIn(users);
}

/** Those who hold nothing may be left out, or be there with nothing; a user's tokens may stand in several places. */
function tokensIn(users: [uid: string, tokens: string[]][]): string {
  return JSON.stringify(users.flatMap(([uid, tokens]) => tokens.map((token) => `${uid} ${token}`)).sort());
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
