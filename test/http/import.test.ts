// Registrations from another system: what may come in, and what devices did here that it must not touch.
import { runInDurableObject } from "cloudflare:test";
import { afterEach, describe, it, vi } from "vitest";
import { sha256, tokenHash } from "../../src/durable/names.ts";
import { DAY_MS, IMPORT_CLAIMS_MAX } from "../../src/limits.ts";
import { login, serverCall, uniqueToken, uniqueUid } from "../support/client.ts";
import { chatSession } from "../support/cometchat.ts";
import { breakOwnersFor, breakUsersFor, failBefore, holdBack, on, platformErrors } from "../support/faults.ts";
import { metered } from "../support/meter.ts";
import { arrivalOf, ownerObject, tablesOf, userObject } from "../support/objects.ts";

type Item = Record<string, unknown>;

function importCall(items: unknown[], app = "test") {
  return serverCall("POST", "/v3/push_tokens/import", { body: { items } }, app);
}

async function outcomes(items: unknown[], app = "test"): Promise<string[]> {
  const { body } = await importCall(items, app);
  return body.data.items.map(({ outcome }: { outcome: string }) => outcome);
}

async function pushTokens(uid: string, app = "test"): Promise<Item[]> {
  const { body } = await serverCall("GET", `/v3/users/${uid}/push_tokens?includeMuted=true`, {}, app);
  return body.data.pushTokens;
}

async function held(uid: string, app = "test"): Promise<unknown[]> {
  return (await pushTokens(uid, app)).map(({ token }) => token);
}

/** The session that an import makes of an installation. */
async function importSession(token: string): Promise<string> {
  return `import:${await tokenHash("fcm", token)}`;
}

/** An item of a device that was last seen ten days ago. */
function item(uid: string, token = uniqueToken(), more: Item = {}) {
  return { uid, kind: "fcm", token, refreshedAt: Date.now() - 10 * DAY_MS, ...more };
}

function later(ms: number): void {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + ms });
}

afterEach(() => {
  vi.useRealTimers();
});

describe("an item", () => {
  it("is not lost for a platform that is none: it is a hint", async ({ expect }) => {
    for (const [platform, shown] of [
      ["iPhone", "android"],
      ["", "android"],
      [null, "android"],
      ["Web", "web"],
      ["ios", "ios"],
    ]) {
      const uid = uniqueUid();
      expect(await outcomes([item(uid, uniqueToken(), { platform })])).toEqual(["imported"]);
      expect(await pushTokens(uid)).toMatchObject([{ platform: shown }]);
    }
  });

  it("is shown to senders as the other system knew it, in lookups too", async ({ expect }) => {
    const uid = uniqueUid();
    const now = Date.now();
    const device = { model: "Pixel 9", appVersion: "4.2", environment: "production", bundleId: "com.example" };
    const given = {
      uid,
      kind: "fcm",
      token: uniqueToken(),
      platform: "web",
      session: "their-session",
      registeredAt: now - 40 * DAY_MS,
      refreshedAt: now - 3 * DAY_MS,
      suspectAt: now - 2 * DAY_MS,
      providerId: "main",
      timezone: "Asia/Kolkata",
      device,
      muted: true,
    };
    expect(await outcomes([given])).toEqual(["imported"]);
    const shown = {
      token: given.token,
      kind: "fcm",
      target: "token",
      platform: "web",
      sessionId: "their-session",
      registeredAt: given.registeredAt,
      refreshedAt: given.refreshedAt,
      suspect: true,
      muted: true,
      providerId: "main",
      timezone: "Asia/Kolkata",
      device,
    };
    expect(await pushTokens(uid)).toEqual([shown]);
    const { body } = await serverCall("POST", "/v3/push_tokens/lookup", { body: { uids: [uid], includeMuted: true } });
    expect(body.data.users).toEqual([{ uid, pushTokens: [shown] }]);
  });

  it("without session and times gets a session of its installation, and half of the retention", async ({ expect }) => {
    const uid = uniqueUid();
    const token = uniqueToken();
    expect(await outcomes([{ uid, kind: "fcm", token }])).toEqual(["imported"]);
    const [shown] = await pushTokens(uid);
    const age = (Date.now() - Number(shown?.refreshedAt)) / DAY_MS;
    expect(shown).toMatchObject({ sessionId: await importSession(token), platform: "android", suspect: false });
    expect(Math.round(age)).toBe(135);
    expect(shown?.registeredAt).toBe(shown?.refreshedAt);
    // The guess is later each time; that is no news.
    later(DAY_MS);
    const { rowsWritten } = await metered(async () => {
      expect(await outcomes([{ uid, kind: "fcm", token }])).toEqual(["already"]);
    });
    expect(rowsWritten).toBe(0);
  });

  it("with a time that is ahead counts as seen now; without refreshedAt, as seen when it was registered", async ({
    expect,
  }) => {
    const uid = uniqueUid();
    const [ahead, dated] = [item(uid), item(uid)];
    const registeredAt = Date.now() - 20 * DAY_MS;
    const { refreshedAt: _, ...undated } = { ...dated, registeredAt };
    expect(await outcomes([{ ...ahead, refreshedAt: Date.now() + DAY_MS }, undated])).toEqual(["imported", "imported"]);
    const shown = await pushTokens(uid);
    expect(shown.find(({ token }) => token === ahead.token)?.refreshedAt).toBeLessThanOrEqual(Date.now());
    expect(shown.find(({ token }) => token === dated.token)).toMatchObject({ registeredAt, refreshedAt: registeredAt });
  });

  it("that is there already writes no row", async ({ expect }) => {
    const users = [uniqueUid(), uniqueUid()];
    const items = users.flatMap((uid) => [item(uid), item(uid)]);
    expect(await outcomes(items)).toEqual(["imported", "imported", "imported", "imported"]);
    const { calls, rowsWritten } = await metered(async () => {
      expect(await outcomes(items)).toEqual(["already", "already", "already", "already"]);
    });
    expect(rowsWritten).toBe(0);
    expect(calls).toEqual(["UserTokens.importAll", "UserTokens.importAll"]);
  });

  it("that comes twice in one call is stored once, with the later time", async ({ expect }) => {
    const uid = uniqueUid();
    const first = item(uid);
    const second = { ...first, refreshedAt: first.refreshedAt + DAY_MS };
    expect(await outcomes([first, second, first])).toEqual(["imported", "imported", "already"]);
    expect(await pushTokens(uid)).toMatchObject([{ token: first.token, refreshedAt: second.refreshedAt }]);
  });

  it("that is wrong is named, and costs no other", async ({ expect }) => {
    const uid = uniqueUid();
    const good = item(uid);
    const { body } = await importCall([
      null,
      "text",
      { ...good, kind: "sms" },
      { ...good, token: "null" },
      { ...good, token: undefined },
      { ...good, token: "with space" },
      { ...good, uid: "" },
      { ...good, uid: undefined },
      { ...good, refreshedAt: 1_700_000_000 },
      { ...good, session: "." },
      { ...good, device: { environment: "moon", model: "x".repeat(101), name: "Ann's" }, timezone: 7 },
    ]);
    const answers: { outcome: string; why?: string }[] = body.data.items;
    expect(answers.slice(0, -1).every(({ outcome, why = "" }) => outcome === "invalid" && why.length > 10)).toBe(true);
    expect(answers[3]?.why).toContain("token");
    expect(answers[8]?.why).toContain("seconds");
    expect(answers.at(-1)).toEqual({ outcome: "imported" });
    expect(await pushTokens(uid)).toMatchObject([{ device: { name: "Ann's" } }]);
  });

  it("of more than 500 is a 400, of a sender's key a 403, of a long body a 413", async ({ expect }) => {
    const uid = uniqueUid();
    expect(await importCall(Array.from({ length: 501 }, () => item(uid)))).toMatchObject({ status: 400 });
    const headers = { apikey: "test-sender-key" };
    const call = await serverCall("POST", "/v3/push_tokens/import", { headers, body: { items: [item(uid)] } });
    expect(call.status).toBe(403);
    const long = { ...item(uid), note: "x".repeat(4 * 1024 * 1024) };
    expect(await importCall([long])).toMatchObject({ status: 413 });
    expect(await tablesOf(await userObject("test", uid))).toEqual([]);
  });

  it("that has expired is not stored, and leaves nothing", async ({ expect }) => {
    const uid = uniqueUid();
    expect(await outcomes([item(uid, undefined, { refreshedAt: Date.now() - 270 * DAY_MS })])).toEqual(["expired"]);
    expect(await tablesOf(await userObject("test", uid))).toEqual([]);
  });

  it("beyond the hundred that a user may hold is `full`, and evicts nobody", async ({ expect }) => {
    const session = await login();
    const own = uniqueToken();
    await session.register({ fcmToken: own });
    const items = Array.from({ length: 130 }, () => item(session.uid));
    const answers: string[] = [];
    let open = items;
    for (let calls = 0; open.length > 0 && calls < 5; calls += 1) {
      const settled = await outcomes(open);
      answers.push(...settled.filter((outcome) => outcome !== "unavailable"));
      expect(settled.filter((outcome) => outcome === "imported").length).toBeLessThanOrEqual(IMPORT_CLAIMS_MAX);
      open = open.filter((_, i) => settled[i] === "unavailable");
    }
    expect(open).toEqual([]);
    expect(answers.filter((outcome) => outcome === "imported")).toHaveLength(99);
    expect(answers.filter((outcome) => outcome === "full")).toHaveLength(31);
    expect(await held(session.uid)).toContain(own);
  });
});

describe("what a device registered", () => {
  it("stays, with its user and with another, and no takeover is counted", async ({ expect }) => {
    const [ann, bob] = [await login(undefined, { app: "limited" }), uniqueUid()];
    const token = uniqueToken();
    await ann.register({ fcmToken: token });
    const future = { refreshedAt: Date.now() + DAY_MS };
    const items = [item(ann.uid, token, future), item(bob, token, future), item(bob, token, { session: ann.id })];
    expect(await outcomes(items, "limited")).toEqual(["held_here", "held_here", "held_here"]);
    expect(await ann.tokens()).toEqual([token]);
    expect(await tablesOf(await userObject("limited", bob))).toEqual([]);
    const { body } = await serverCall("GET", `/v3/users/${ann.uid}/export`, {}, "limited");
    expect(body.data.changes).toMatchObject([{ change: "registered" }]);
  });

  it("keeps its slot: an item of that very session displaces nothing", async ({ expect }) => {
    const session = await login();
    const token = uniqueToken();
    await session.register({ fcmToken: token });
    const future = { session: session.id, refreshedAt: Date.now() };
    expect(await outcomes([item(session.uid, uniqueToken(), future)])).toEqual(["held_here"]);
    expect(await session.tokens()).toEqual([token]);
  });

  it("keeps its slot, and stays muted, also where all earlier sessions of the user were ended", async ({ expect }) => {
    const uid = uniqueUid();
    await login(uid);
    await serverCall("DELETE", `/v3/users/${uid}/sessions`);
    later(2000);
    const session = await login(uid);
    const token = uniqueToken();
    await session.register({ fcmToken: token });
    await session.call("PATCH", `/v3.0/me/devices/${session.id}`, { body: { muted: true } });
    const future = { session: session.id, refreshedAt: Date.now() };
    const apns = item(uid, "ef".repeat(32), { kind: "apns", ...future });
    expect(await outcomes([item(uid, uniqueToken(), future), apns])).toEqual(["held_here", "imported"]);
    expect((await pushTokens(uid)).map(({ sessionId, muted }) => [sessionId, muted])).toEqual([
      [session.id, true],
      [session.id, true],
    ]);
  });

  it("moves an imported token to the device's session, whose labels it keeps", async ({ expect }) => {
    const session = await login();
    const given = item(session.uid, undefined, { device: { model: "Pixel 9" } });
    await outcomes([given]);
    expect(await session.register({ fcmToken: given.token })).toMatchObject({ status: 200 });
    expect(await pushTokens(session.uid)).toMatchObject([{ sessionId: session.id, device: { model: "Pixel 9" } }]);
    expect(await outcomes([given])).toEqual(["held_here"]);
  });

  it("stays muted where it moves, and the whole session with it; a session that wants pushes stays as it is", async ({
    expect,
  }) => {
    const session = await login();
    const [given, other] = [
      item(session.uid, undefined, { muted: true }),
      item(session.uid, undefined, { muted: true }),
    ];
    await outcomes([given, other]);
    const loud = await login(session.uid);
    await loud.register({ apnsToken: "ab".repeat(32) });
    await loud.register({ fcmToken: other.token });
    await session.register({ fcmToken: given.token });
    await session.register({ apnsToken: "cd".repeat(32) });
    const muted = (await pushTokens(session.uid)).map(({ sessionId, muted: is }) => [sessionId, is === true]);
    expect(muted.filter(([id]) => id === session.id)).toEqual([true, true].map((is) => [session.id, is]));
    expect(muted.filter(([id]) => id === loud.id)).toEqual([false, false].map((is) => [loud.id, is]));
  });

  it("stays muted beside a token that is new, in whichever order one registration has them", async ({ expect }) => {
    for (const kind of ["fcm", "apns"]) {
      const session = await login();
      const tokens = { fcm: uniqueToken(), apns: crypto.randomUUID().replaceAll("-", "").repeat(2) };
      const token = kind === "fcm" ? tokens.fcm : tokens.apns;
      expect(await outcomes([item(session.uid, token, { kind, muted: true })])).toEqual(["imported"]);
      const both = { fcmToken: tokens.fcm, apnsToken: tokens.apns };
      expect(await session.register(both)).toMatchObject({ status: 200 });
      expect((await pushTokens(session.uid)).map(({ muted }) => muted)).toEqual([true, true]);
    }
  });

  it("becomes the device's own where the file named its session: no later import moves it", async ({ expect }) => {
    const session = await login();
    const given = item(session.uid, undefined, { session: session.id, platform: "android" });
    await outcomes([given]);
    expect(await session.register({ fcmToken: given.token })).toMatchObject({ status: 200 });
    const bob = uniqueUid();
    expect(await outcomes([item(bob, given.token, { refreshedAt: Date.now() })])).toEqual(["held_here"]);
    expect(await session.tokens()).toEqual([given.token]);
  });
});

describe("between two imports", () => {
  it("the later time wins, in one user and between two", async ({ expect }) => {
    const [ann, bob] = [uniqueUid(), uniqueUid()];
    const token = uniqueToken();
    const at = Date.now() - 30 * DAY_MS;
    expect(await outcomes([item(ann, token, { refreshedAt: at })])).toEqual(["imported"]);
    expect(await outcomes([item(ann, token, { refreshedAt: at + 1 })])).toEqual(["imported"]);
    expect(await outcomes([item(ann, token, { refreshedAt: at })])).toEqual(["already"]);
    expect(await outcomes([item(bob, token, { refreshedAt: at + 1 })])).toEqual(["held_here"]);
    expect(await held(ann)).toEqual([token]);
    expect(await outcomes([item(bob, token, { refreshedAt: at + 2 })])).toEqual(["imported"]);
    expect([await held(ann), await held(bob)]).toEqual([[], [token]]);
    expect(await outcomes([item(ann, token, { refreshedAt: at })])).toEqual(["newer_here"]);
  });

  it("a session's slot holds what was seen last", async ({ expect }) => {
    const uid = uniqueUid();
    const [first, second] = [uniqueToken(), uniqueToken()];
    const at = Date.now() - 30 * DAY_MS;
    const of = (token: string, refreshedAt: number) => item(uid, token, { session: "theirs", refreshedAt });
    expect(await outcomes([of(first, at), of(second, at + 5)])).toEqual(["imported", "imported"]);
    expect(await held(uid)).toEqual([second]);
    expect(await outcomes([of(first, at), of(second, at + 5)])).toEqual(["newer_here", "already"]);
    // One that was never here is no reason either.
    expect(await outcomes([of(uniqueToken(), at + 4)])).toEqual(["held_here"]);
    expect(await held(uid)).toEqual([second]);
  });
});

describe("nothing comes back", () => {
  /** What ended the registration of an imported token that a device then had. */
  const ENDS: Record<string, (uid: string, token: string) => Promise<unknown>> = {
    logout: async (uid, token) => {
      const session = await login(uid);
      await session.register({ fcmToken: token });
      await session.logout();
    },
    removal: async (uid) => (await login(uid)).delete({ all: true }),
    "end of the import's session": async (uid, token) => {
      await serverCall("DELETE", `/v3/users/${uid}/sessions/${await importSession(token)}`);
    },
    "end of all sessions": (uid) => serverCall("DELETE", `/v3/users/${uid}/sessions`),
    takeover: async (_, token) => {
      const rival = await login();
      await rival.register({ fcmToken: token });
      await rival.logout();
    },
    prune: (_, token) => {
      const items = [{ token, kind: "fcm", code: "UNREGISTERED" }];
      return serverCall("POST", "/v3/push_tokens/feedback", { body: { items } });
    },
  };

  for (const [name, end] of Object.entries(ENDS)) {
    it(`after this: ${name};  not the next day, and not when the record of changes is gone`, async ({ expect }) => {
      const uid = uniqueUid();
      const given = item(uid);
      expect(await outcomes([given])).toEqual(["imported"]);
      await end(uid, given.token);
      expect(await held(uid)).toEqual([]);
      later(DAY_MS);
      expect(["newer_here", "ended"]).toContain((await outcomes([given]))[0]);
      later(50 * DAY_MS);
      await runInDurableObject(await userObject("test", uid), (object) => object.alarm());
      expect((await outcomes([given]))[0]).toBe("ended");
      later(240 * DAY_MS);
      expect((await outcomes([given]))[0]).toBe("expired");
      expect(await held(uid)).toEqual([]);
    });
  }

  it("after an erasure, known or not", async ({ expect }) => {
    const [known, stranger] = [uniqueUid(), uniqueUid()];
    const items = [item(known), item(stranger)];
    expect(await outcomes(items.slice(0, 1))).toEqual(["imported"]);
    for (const uid of [known, stranger]) await serverCall("DELETE", `/v3/users/${uid}`);
    expect(await outcomes(items)).toEqual(["erased", "erased"]);
    // Seen since: a new life.
    later(DAY_MS);
    expect(await outcomes([item(stranger, undefined, { refreshedAt: Date.now() })])).toEqual(["imported"]);
  });

  it.for(["the user holds it", "the user let it go before"])(
    "after an erasure under CometChat's identity, where %s",
    async (before, { expect }) => {
      const session = await chatSession();
      const token = uniqueToken();
      await session.register({ fcmToken: token });
      if (before !== "the user holds it") await session.delete();
      await serverCall("DELETE", `/v3/users/${session.uid}`, {}, "chat");
      expect(await outcomes([item(session.uid, token)], "chat")).toEqual(["erased"]);
    },
  );

  it("where the file names a session, and only the mark is left that an import brought it", async ({ expect }) => {
    const uid = uniqueUid();
    const given = item(uid, undefined, { session: "theirs" });
    expect(await outcomes([given])).toEqual(["imported"]);
    await serverCall("POST", `/v3/users/${uid}/push_tokens/remove`, { body: { token: given.token, kind: "fcm" } });
    later(40 * DAY_MS);
    expect(await outcomes([given, { ...given, session: "another" }])).toEqual(["ended", "ended"]);
    expect(await held(uid)).toEqual([]);
  });

  it("where the file names a session that has ended", async ({ expect }) => {
    const session = await login();
    await session.logout();
    expect(await outcomes([item(session.uid, undefined, { session: session.id })])).toEqual(["ended"]);
  });

  it("and the marks of a user stay few", async ({ expect }) => {
    const uid = uniqueUid();
    for (let n = 0; n < 10; n += 1) {
      expect(new Set(await outcomes(Array.from({ length: 25 }, () => item(uid))))).toEqual(new Set(["imported"]));
      await serverCall("DELETE", `/v3/users/${uid}/sessions`);
      later(11 * DAY_MS);
    }
    const { body } = await serverCall("GET", `/v3/users/${uid}/export`);
    expect(body.data.fences).toHaveLength(200);
  });
});

describe("under CometChat's identity", () => {
  it("the session of an auth token's hash is the one that the device uses: a launch finds its slot", async ({
    expect,
  }) => {
    const session = await chatSession();
    const given = item(session.uid.toUpperCase(), undefined, { session: await sha256(session.authToken) });
    expect(await outcomes([given], "chat")).toEqual(["imported"]);
    const rotated = uniqueToken();
    expect(await session.register({ fcmToken: rotated })).toMatchObject({ status: 200 });
    expect(await held(session.uid, "chat")).toEqual([rotated]);
    await session.logout();
    expect(await outcomes([given], "chat")).toEqual(["newer_here"]);
  });
});

describe("while an import waits for an owner object", () => {
  /** An import that is held back at its claim. */
  async function underWay(uid: string, token: string, { after = true } = {}) {
    const { fault, reached, open } = holdBack({ after });
    await breakOwnersFor("test", uid, on("claim", fault));
    const importing = outcomes([item(uid, token)]);
    await reached();
    return { open, importing };
  }

  it("a device that launches keeps its token", async ({ expect }) => {
    const session = await login();
    const token = uniqueToken();
    const { open, importing } = await underWay(session.uid, token);
    const launch = session.register({ fcmToken: token });
    open();
    expect((await launch).status).toBe(200);
    expect(await importing).toEqual(["imported"]);
    expect(await pushTokens(session.uid)).toMatchObject([{ token, sessionId: session.id }]);
  });

  it("a device of another user that launches has it alone", async ({ expect }) => {
    const [uid, rival] = [uniqueUid(), await login()];
    const token = uniqueToken();
    const { open, importing } = await underWay(uid, token);
    expect((await rival.register({ fcmToken: token })).status).toBe(200);
    open();
    expect(await importing).toEqual(["newer_here"]);
    expect(await held(uid)).toEqual([]);
    expect(await rival.tokens()).toEqual([token]);
    // Nobody's entry was overwritten or forgotten: the next one who wants it must ask the rival.
    const third = await login();
    await third.register({ fcmToken: token });
    expect(await rival.tokens()).toEqual([]);
  });

  it("the end of its session, or an erasure, is final", async ({ expect }) => {
    const ends: ((uid: string, token: string) => Promise<{ status: number }>)[] = [
      async (u, t) => serverCall("DELETE", `/v3/users/${u}/sessions/${await importSession(t)}`),
      (u) => serverCall("DELETE", `/v3/users/${u}/sessions`),
      (u) => serverCall("DELETE", `/v3/users/${u}`),
    ];
    for (const end of ends) {
      const [uid, token] = [uniqueUid(), uniqueToken()];
      const { open, importing } = await underWay(uid, token);
      const arrival = arrivalOf("endSession", "endAllSessions", "erase");
      const ending = end(uid, token);
      await arrival();
      open();
      expect((await ending).status).toBe(200);
      expect(["ended", "erased"]).toContain((await importing)[0]);
      expect(await held(uid)).toEqual([]);
    }
  });

  it("a removal of everything covers it", async ({ expect }) => {
    const session = await login();
    const token = uniqueToken();
    const { open, importing } = await underWay(session.uid, token);
    const arrival = arrivalOf("remove");
    const removal = session.delete({ all: true });
    await arrival();
    open();
    expect((await removal).status).toBe(200);
    expect(await importing).toEqual(["newer_here"]);
    expect(await held(session.uid)).toEqual([]);
  });
});

describe("while a device's registration is under way", () => {
  it("an import of another user is told to come back, and then that it is held", async ({ expect }) => {
    const [session, bob] = [await login(), uniqueUid()];
    const token = uniqueToken();
    const { fault, reached, open } = holdBack({ after: true });
    await breakOwnersFor("test", session.uid, on("claim", fault));
    const launch = session.register({ fcmToken: token });
    await reached();
    expect(await outcomes([item(bob, token)])).toEqual(["unavailable"]);
    open();
    expect((await launch).status).toBe(200);
    expect(await outcomes([item(bob, token)])).toEqual(["held_here"]);
    expect(await session.tokens()).toEqual([token]);
  });

  it("a launch of the imported token is not taken away by a later import", async ({ expect }) => {
    const [session, bob] = [await login(), uniqueUid()];
    const [token, apnsToken] = [uniqueToken(), uniqueToken()];
    await outcomes([item(session.uid, token)]);
    const { fault, reached, open } = holdBack();
    await breakOwnersFor("test", session.uid, on("claim", fault));
    // The imported token needs no claim; it waits for the other one's.
    const launch = session.register({ fcmToken: token, apnsToken });
    await reached();
    expect(await outcomes([item(bob, token, { refreshedAt: Date.now() })])).toEqual(["unavailable"]);
    open();
    expect((await launch).status).toBe(200);
    expect((await session.tokens()).sort()).toEqual([token, apnsToken].sort());
  });
});

describe("an object that fails", () => {
  it("makes its items `unavailable`, and no others", async ({ expect }) => {
    const [ann, bob] = [uniqueUid(), uniqueUid()];
    const owner = item(ann);
    await outcomes([owner]);
    // Bob's later import needs the word of ann's object.
    await breakUsersFor(
      await ownerObject("test", owner.token),
      on("releaseImported", failBefore(platformErrors.connectionLost)),
    );
    const items = [item(bob, owner.token, { refreshedAt: Date.now() }), item(bob)];
    expect(await outcomes(items)).toEqual(["unavailable", "imported"]);
    expect(await held(ann)).toEqual([owner.token]);
  });
});

describe("policy shared", () => {
  it("lets an imported token join those that others hold", async ({ expect }) => {
    const [ann, bob] = [await login(undefined, { app: "shared" }), uniqueUid()];
    const token = uniqueToken();
    await ann.register({ fcmToken: token });
    expect(await outcomes([item(bob, token)], "shared")).toEqual(["imported"]);
    expect([await ann.tokens(), await held(bob, "shared")]).toEqual([[token], [token]]);
  });
});
