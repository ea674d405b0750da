// The same API on KV, as people build it: one document per user and one key per token. KV has no transaction, reads may be
// a minute old, and two devices that register at once overwrite each other: it cannot keep the promises, only the shape.
import { createSubject, platformOf, type Registry, type SubjectEnv } from "../shared.ts";
import type { Token } from "../wire.ts";

interface Env extends SubjectEnv {
  TOKENS: KVNamespace;
}

interface Entry extends Token {
  session: string;
  platform: string;
  refreshedAt: number;
}

const REFRESH_WINDOW_MS = 7 * 24 * 3600 * 1000;
const ENDED_SECONDS = 90 * 24 * 3600;

const read = async (env: Env, uid: string) => (await env.TOKENS.get<Entry[]>(`user:${uid}`, "json")) ?? [];
const write = (env: Env, uid: string, entries: Entry[]) => env.TOKENS.put(`user:${uid}`, JSON.stringify(entries));
const ownerKey = ({ kind, token }: Token) => `token:${kind}:${token}`;

async function replace(env: Env, uid: string, keep: (entry: Entry) => boolean): Promise<void> {
  const entries = await read(env, uid);
  const gone = entries.filter((entry) => !keep(entry));
  if (gone.length === 0) return;
  await Promise.all([
    write(env, uid, entries.filter(keep)),
    ...gone.map((entry) => env.TOKENS.delete(ownerKey(entry))),
  ]);
}

const registry: Registry<Env> = {
  list: (env, { uid }) => read(env, uid),

  async register(env, { uid, session }, tokens) {
    const now = Date.now();
    const [entries, ended] = await Promise.all([read(env, uid), env.TOKENS.get(`ended:${session}`)]);
    if (ended !== null) throw new Error("the session has ended");
    const isHeld = tokens.every((t) =>
      entries.some(
        (e) =>
          e.session === session && e.kind === t.kind && e.token === t.token && e.refreshedAt > now - REFRESH_WINDOW_MS,
      ),
    );
    if (isHeld) return;
    for (const token of tokens) {
      const owner = await env.TOKENS.get(ownerKey(token));
      if (owner !== null && owner !== uid) await replace(env, owner, (e) => ownerKey(e) !== ownerKey(token));
      await env.TOKENS.put(ownerKey(token), uid);
    }
    const replaced = (e: Entry) =>
      tokens.some((t) => e.kind === t.kind && (e.session === session || e.token === t.token));
    const added = tokens.map((t) => ({ ...t, session, platform: platformOf(t.kind), refreshedAt: now }));
    await write(env, uid, [...entries.filter((entry) => !replaced(entry)), ...added]);
  },

  async removeSession(env, { uid, session }) {
    await env.TOKENS.put(`ended:${session}`, "1", { expirationTtl: ENDED_SECONDS });
    await replace(env, uid, (entry) => entry.session !== session);
  },

  removeAll: (env, { uid }) => replace(env, uid, () => false),

  async lookup(env, uids) {
    const users = await Promise.all(uids.map(async (uid) => [uid, await read(env, uid)] as const));
    return Object.fromEntries(users);
  },
};

export default createSubject(registry);
