// The same API on KV, as people build it: one document per user and one key per token. KV has no transaction, reads may be
// a minute old, and two devices that register at once overwrite each other: it cannot keep the promises, only the shape.
import { createSubject, platformOf, type Registry, type SubjectEnv } from "../shared.ts";
import type { Row, Token } from "../wire.ts";

interface Env extends SubjectEnv {
  TOKENS: KVNamespace;
}

type Entry = Omit<Row, "uid">;

const REFRESH_WINDOW_MS = 7 * 24 * 3600 * 1000;
/** Of one `get`: developers.cloudflare.com/kv/api/read-key-value-pairs. */
const KEYS_PER_READ = 100;
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
    const added = tokens.map((t) => ({
      ...t,
      session,
      platform: platformOf(t.kind),
      registeredAt: now,
      refreshedAt: now,
    }));
    await write(env, uid, [...entries.filter((entry) => !replaced(entry)), ...added]);
  },

  async removeSession(env, { uid, session }) {
    await Promise.all([
      env.TOKENS.put(`ended:${session}`, "1", { expirationTtl: ENDED_SECONDS }),
      replace(env, uid, (entry) => entry.session !== session),
    ]);
  },

  removeAll: (env, { uid }) => replace(env, uid, () => false),

  async lookup(env, uids) {
    const keys = uids.map((uid) => `user:${uid}`);
    const chunks = Array.from({ length: Math.ceil(keys.length / KEYS_PER_READ) }, (_, i) =>
      keys.slice(i * KEYS_PER_READ, (i + 1) * KEYS_PER_READ),
    );
    const found = await Promise.all(chunks.map((chunk) => env.TOKENS.get<Entry[]>(chunk, "json")));
    return found.flatMap((users) =>
      [...users].flatMap(([key, entries]) => (entries ?? []).map((e) => ({ ...e, uid: key.slice("user:".length) }))),
    );
  },
};

export default createSubject(registry);
