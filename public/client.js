// Keeps a device's push tokens registered. Types: client.d.ts; rules, and what is stored: docs/client.md.
const HOUR = 3_600_000;
const TIMEOUT = 10_000;
const LEASE = 15_000;
const DELAY_MAX = 300_000;
const FAILED = Symbol("failed");

export function createRegistration({ url, appId, getAuthToken, storage = pageStorage(), fetch = platformFetch }) {
  const base = url.replace(/\/+$/, "");
  const key = `push-token-registry:${appId}`;
  const unregister = `${base}/v2/tokens/unregister`;
  /** Auth tokens of logouts in the queue, by id. */
  const auths = new Map();
  /** In place of a storage that is missing, full or forbidden. */
  let memory = storage ? null : "{}";
  let editing;
  let running = Promise.resolve();
  let lastSent;
  let abort;
  let timer;
  let failures = 0;
  let closing = false;

  /** In one tick if the storage is synchronous, else after the edit before. */
  function edit(change) {
    const step = () =>
      then(memory ?? attempt(() => storage.getItem(key)), (text) => {
        const doc = { queue: [], ended: [], ...parse(text) };
        const before = JSON.stringify(doc);
        const result = change(doc);
        const after = JSON.stringify(doc);
        return after === before ? result : then(write(after), () => result);
      });
    const result = editing ? editing.then(step) : step();
    if (result?.then) editing = result;
    return result;
  }

  function write(text) {
    const written = memory === null && attempt(() => then(storage.setItem(key, text), () => true));
    return then(written, (done) => {
      if (!done) memory = text;
    });
  }

  /** One run at a time, in this page and in all tabs. */
  function run(options) {
    running = running
      .then(() => exclusive(() => sync(options)))
      .catch((error) => ({ ok: false, reason: "failed", message: String(error), pending: 0 }));
    return running;
  }

  async function exclusive(work) {
    const locks = globalThis.navigator?.locks;
    if (!locks) return memory === null ? leased(work) : work();
    let result;
    await locks.request(key, async () => (result = await work())).catch(() => {});
    return result ?? work();
  }

  async function leased(work) {
    const name = `${key}:lease`;
    const id = random();
    const lease = async () => parse(await attempt(() => storage.getItem(name)));
    for (;;) {
      const left = ((await lease()).until ?? 0) - Date.now();
      // Too long: the clock was set back.
      if (left <= 0 || left > LEASE) {
        await attempt(() => storage.setItem(name, JSON.stringify({ id, until: Date.now() + LEASE })));
        await sleep(30);
        if (((await lease()).id ?? id) === id) break;
      }
      await sleep(50 + Math.random() * 100);
    }
    const result = await work();
    if ((await lease()).id === id) await attempt(() => storage.removeItem(name));
    return result;
  }

  async function sync({ force, leave }) {
    clearTimeout(timer);
    if (leave) await edit(leave);
    const drained = await drain(force);
    const { wait = 0, ...result } = await post();
    const pending = await edit(({ queue }) => queue.length);
    if (pending || result.retrying) {
      const backoff = Math.min(DELAY_MAX, 1000 * 2 ** failures++) * (0.5 + Math.random() / 2);
      const asked = Math.min(HOUR, Math.max(drained, wait)) * (1 + Math.random() / 4);
      timer = setTimeout(run, Math.max(backoff, asked), {});
      timer.unref?.();
    } else failures = 0;
    return { ...result, pending };
  }

  async function drain(force) {
    let wait = 0;
    for (const { id, ticket, auth = auths.get(id), end } of await edit(({ queue }) => queue)) {
      const keepalive = true;
      const gone = ticket ? await send("POST", unregister, { body: ticket, keepalive }, force) : { ok: true };
      const ended = auth
        ? await send("DELETE", base + (end ? "/v3/me" : "/v2/tokens"), { keepalive }, force, auth)
        : gone;
      // 400: the ticket is over.
      const isGone = gone.ok || gone.status === 400;
      const isEnded = !auth || !ended.retrying;
      if (isEnded) auths.delete(id);
      await edit((doc) => {
        const stored = doc.queue.find((each) => each.id === id) ?? {};
        // Its late registration may have taken the device from the login of now.
        if (stored.auth && isEnded && doc.state) doc.state.done = false;
        if (isGone) delete stored.ticket;
        if (isEnded) delete stored.auth;
        if (isGone && isEnded) doc.queue = doc.queue.filter((each) => each !== stored);
      });
      wait = Math.max(wait, gone.wait ?? 0, ended.wait ?? 0);
      if (ended.status === 0) break;
    }
    return wait;
  }

  async function post() {
    const login = await edit(({ state }) => state?.id);
    if (login === undefined) return { ok: true };
    const authToken = await within(ask()).catch(() => FAILED);
    if (authToken === FAILED) return { ok: false, reason: "no_auth_token", retrying: true };
    if (!authToken) return { ok: false, reason: "no_auth_token", retrying: false };
    const who = hash(authToken);
    const { state: begun, known } = await edit(({ state, ended }) => {
      if (state?.id !== login || ended.includes(who)) return { known: LOGGED_OUT };
      const age = Date.now() - state.at;
      const isFresh = state.done && age >= 0 && age < HOUR && (state.result.ok || state.who === who);
      if (isFresh) return { known: state.result };
      Object.assign(state, { who, dirty: true, done: false });
      return { state: { ...state } };
    });
    if (known) return known;
    lastSent = authToken;
    const { data, wait, ...reply } = await send(
      "POST",
      `${base}/v2/tokens`,
      { body: JSON.stringify(begun.body) },
      false,
      authToken,
    );
    const result = reply.ok ? { ok: true, ...(data.refused && { refused: data.refused }) } : reply;
    return edit((doc) => {
      const { state } = doc;
      const ticket = data?.unregisterTicket;
      if (state?.id !== begun.id) {
        // Logged out meanwhile.
        if (ticket) doc.queue.push({ id: random(), ticket });
        return LOGGED_OUT;
      }
      if (reply.ok) Object.assign(state, { dirty: !ticket, ticket: ticket ?? state.ticket });
      if (!reply.retrying && state.rev === begun.rev) Object.assign(state, { done: true, at: Date.now(), result });
      return { ...result, wait };
    });
  }

  /** `wait`: the ms that the registry asks for. */
  async function send(method, to, init, force, authToken) {
    const until = await edit(({ notBefore = 0 }) => notBefore - Date.now());
    if (!force && until > 0 && until <= HOUR) return { ok: false, reason: "unavailable", retrying: true, wait: until };
    const controller = globalThis.AbortController && new AbortController();
    const headers = authToken ? { appId, authToken, "Content-Type": "application/json" } : {};
    try {
      const answer = async () => {
        const response = await fetch(to, { method, headers, ...init, signal: controller?.signal });
        return { response, ...(await response.json().catch(() => ({}))) };
      };
      const { response, data, error = {} } = await within(answer(), controller);
      const { status } = response;
      if (response.ok && data?.success) return { ok: true, status, data };
      const { code, message, details } = error;
      const retrying = status < 400 || status >= 500 || status === 429 || status === 408;
      const reason = retrying ? "unavailable" : status === 401 ? "unauthorized" : "rejected";
      const wait = Math.min(HOUR, (Number(response.headers.get("Retry-After")) || 0) * 1000);
      if (retrying && wait) {
        await edit((doc) => {
          doc.notBefore = Date.now() + wait;
        });
      }
      return { ok: false, reason, status, code, message, details, retrying, wait };
    } catch {
      return { ok: false, reason: "network", status: 0, retrying: true };
    }
  }

  function within(work, controller) {
    let clock;
    const stopped = new Promise((_, reject) => {
      abort = () => {
        reject(FAILED);
        controller?.abort();
      };
      clock = setTimeout(abort, TIMEOUT);
    });
    return Promise.race([work, stopped]).finally(() => clearTimeout(clock));
  }

  const ask = async () => attempt(getAuthToken, FAILED);

  function beacon() {
    closing = true;
    edit(({ queue }) => {
      for (const { ticket } of queue) if (ticket) attempt(() => navigator.sendBeacon(unregister, ticket));
    });
  }

  async function register(wanted) {
    await edit((doc) => {
      const { id = random(), body, ...known } = doc.state ?? {};
      const device = wanted.device && { device: { ...body?.device, ...wanted.device } };
      doc.state = { ...known, id, rev: random(), body: { ...body, ...wanted, ...device }, done: false };
    });
    return run({});
  }

  async function logout() {
    // Both before anything is awaited: soon they may be the next user's.
    const asked = ask();
    const sent = lastSent;
    const entry = { id: random() };
    let login;
    let who;
    let isAuthKept = false;
    const leave = (doc) => {
      const { state } = doc;
      // Again with the lock: another tab may have written back what it had read.
      if (state && (login ?? state.id) === state.id) {
        login = state.id;
        entry.ticket = state.ticket;
        who = state.who;
        if (sent && hash(sent) === who) auths.set(entry.id, sent);
        // No ticket covers what a lost reply may have registered.
        isAuthKept = state.dirty ?? false;
        doc.state = undefined;
      }
      login ??= FAILED;
      const auth = auths.get(entry.id);
      entry.end = auth && hash(auth) === who;
      if (auth && isAuthKept) entry.auth = auth;
      if (entry.end) doc.ended = [...doc.ended.filter((each) => each !== who), who].slice(-9);
      doc.queue = [...doc.queue.filter(({ id }) => id !== entry.id), entry];
    };
    const left = edit(leave);
    if (closing) beacon();
    abort?.();
    await left;
    if (!auths.has(entry.id)) {
      const auth = await within(asked).catch(() => FAILED);
      if (auth && auth !== FAILED) auths.set(entry.id, auth);
      await edit(leave);
    }
    if (lastSent === sent) lastSent = undefined;
    const { pending } = await run({ force: true, leave });
    const waits = await edit(({ queue }) => queue.some(({ id }) => id === entry.id));
    return waits ? { ok: false, reason: "queued", retrying: true, pending } : { ok: true, pending };
  }

  const on = (event, listener) => attempt(() => globalThis.addEventListener?.(event, listener, true));
  on("online", () => run({ force: true }));
  on("pagehide", beacon);
  // What a closed page left behind.
  then(
    edit(({ queue }) => queue.length),
    (waiting) => waiting && run({}),
  );

  return { register, refresh: () => run({}), logout };
}

const LOGGED_OUT = { ok: false, reason: "logged_out", retrying: false };

function pageStorage() {
  return attempt(() => globalThis.localStorage);
}

function platformFetch(...request) {
  return globalThis.fetch(...request);
}

function attempt(work, otherwise) {
  try {
    const result = work();
    return result?.then
      ? result.then(
          (value) => value,
          () => otherwise,
        )
      : result;
  } catch {
    return otherwise;
  }
}

function then(value, next) {
  return value?.then ? value.then(next) : next(value);
}

function parse(text) {
  return attempt(() => JSON.parse(text)) ?? {};
}

function random() {
  return Math.random().toString(36).slice(2);
}

function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function hash(text) {
  let [a, b] = [7, 11];
  for (let n = 0; n < text.length; n++) {
    a = Math.imul(a ^ text.charCodeAt(n), 2654435761);
    b = Math.imul(b ^ text.charCodeAt(n), 1597334677);
    a ^= a >>> 15;
    b ^= b >>> 13;
  }
  return (a >>> 0).toString(36) + (b >>> 0).toString(36);
}
