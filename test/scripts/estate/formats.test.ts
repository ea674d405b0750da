// Each format by a small file, made by hand from the systems' public documentation: which registrations it gives, what is skipped
// and what is rejected, and where.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, it, onTestFinished } from "vitest";
import { entriesOf, FORMAT_NAMES, type FormatName, type Hints } from "../../../scripts/estate/formats.ts";
import { hintsOf } from "../../../scripts/estate/hints.ts";
import { type Entry, toItem } from "../../../scripts/estate/item.ts";
import { Scratch } from "../../../scripts/estate/scratch.ts";
import { surveyOf } from "../../../scripts/estate/survey.ts";
import { timeOf } from "../../../scripts/estate/time.ts";
import { sha256 } from "../../../src/durable/names.ts";

const FIXTURES = join(import.meta.dirname, "fixtures");

const NO_HINTS: Hints = {
  columns: {},
  uidField: null,
  tokenField: null,
  seenField: null,
  uidFrom: (text) => text || undefined,
  uidFromSays: null,
  kind: null,
  seenAt: null,
};

const NOTHING_GIVEN = {
  columns: null,
  kind: null,
  "uid-field": null,
  "token-field": null,
  "seen-field": null,
  "uid-from": null,
  seen: null,
};

async function read(name: FormatName, file: string, hints: Partial<Hints> = {}): Promise<Entry[]> {
  const entries: Entry[] = [];
  for await (const entry of entriesOf(file, name, { ...NO_HINTS, ...hints })) entries.push(entry);
  return entries;
}

/** Of the fixture: the items, and `line: why` of the others. */
async function fixture(name: FormatName, file: string, hints: Partial<Hints> = {}) {
  const entries = await read(name, join(FIXTURES, file), hints);
  return {
    items: entries.flatMap((entry) => (entry.is === "item" ? [entry.item] : [])),
    others: entries.flatMap((entry) => (entry.is === "item" ? [] : [`${entry.line} ${entry.is}: ${entry.why}`])),
  };
}

async function temporaryFile(content: string | Uint8Array): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "push-token-registry-formats-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const file = join(directory, "file");
  await writeFile(file, content);
  return file;
}

const at = (text: string) => Date.parse(text);

describe("a file of", () => {
  it("OneSignal", async ({ expect }) => {
    const { items, others } = await fixture("onesignal", "onesignal.csv");
    expect(items).toEqual([
      {
        uid: "ann",
        kind: "fcm",
        token: "fcm-onesignal-1",
        platform: "android",
        registeredAt: at("2025-01-02T10:00:00Z"),
        refreshedAt: at("2026-10-01T08:30:00Z"),
        timezone: "Europe/Berlin",
        device: { id: "0a1b", model: "Pixel 9", os: "14", appVersion: "4.2.1", locale: "en" },
      },
      expect.objectContaining({ uid: "ben", kind: "apns", platform: "ios" }),
      expect.objectContaining({ uid: "ann", token: "fcm-onesignal-1", refreshedAt: at("2026-10-05T08:30:00Z") }),
    ]);
    expect(others).toEqual([
      "4 skipped: unsubscribed, or its token is invalid",
      "5 skipped: no user",
      "6 skipped: a web push subscription",
      "7 skipped: an e-mail address",
      "8 skipped: Huawei's push service",
    ]);
  });

  it("Amazon SNS, over two pages", async ({ expect }) => {
    const uidFrom = (text: string) => (text === "" ? undefined : JSON.parse(text).user.id);
    const { items, others } = await fixture("sns", "sns.json", {
      uidFrom,
      uidFromSays: "json:user.id",
      seenAt: at("2026-10-01T00:00:00Z"),
    });
    const refreshedAt = at("2026-10-01T00:00:00Z");
    expect(items).toMatchObject([
      { uid: "ann", kind: "fcm", token: "fcm-sns-1", refreshedAt },
      { uid: "ben", kind: "apns", platform: "ios", device: { environment: "sandbox" }, refreshedAt },
      { uid: "ben", kind: "voip", platform: "ios", device: { environment: "production" }, refreshedAt },
    ]);
    expect(others).toEqual([
      "15 skipped: disabled",
      "24 skipped: a platform that is not FCM's or APNs': ADM",
      "28 skipped: no user",
    ]);
  });

  it("Parse, by its API and by mongoexport", async ({ expect }) => {
    const { items, others } = await fixture("parse", "parse.json");
    expect(items).toEqual([
      {
        uid: "ann",
        kind: "fcm",
        token: "fcm-parse-1",
        platform: "android",
        registeredAt: at("2025-03-01T10:00:00Z"),
        refreshedAt: at("2026-10-03T10:00:00Z"),
        timezone: "Asia/Kolkata",
        device: { id: "11111111-2222", appVersion: "3.1", locale: "hi-IN" },
      },
      expect.objectContaining({
        uid: "ben",
        kind: "apns",
        device: { id: "11111111-3333", bundleId: "com.example.chat" },
      }),
    ]);
    expect(others).toEqual([
      "4 skipped: a device type that is not FCM's or APNs'",
      "5 skipped: no token",
      "6 skipped: no user",
    ]);
    expect((await fixture("parse", "parse-mongoexport.ndjson")).items).toMatchObject([
      { uid: "dora", kind: "fcm", token: "fcm-parse-3", refreshedAt: at("2026-10-03T10:00:00Z") },
    ]);
  });

  it("Azure Notification Hubs", async ({ expect }) => {
    const uidFrom = (tags: string) => /owner:(\w+)/.exec(tags)?.[1];
    const { items, others } = await fixture("azure", "azure.xml", { uidFrom, uidFromSays: "regex:owner:(.+)" });
    expect(items).toEqual([
      { uid: "ann", kind: "fcm", token: "fcm-azure-1", device: { id: "inst-1" } },
      { uid: "ben & co", kind: "apns", token: expect.stringMatching(/^AABB0+5$/), platform: "ios" },
      { uid: "emil", kind: "fcm", token: "fcm-azure-3" },
    ]);
    expect(others).toEqual([
      "1 skipped: no registration",
      "4 skipped: expired there",
      "5 skipped: a platform that is not FCM's or APNs'",
      "7 rejected: no registration",
    ]);
  });

  it("CometChat, whose auth tokens become the sessions that the devices use", async ({ expect }) => {
    const { items, others } = await fixture("cometchat", "cometchat.json");
    expect(items).toMatchObject([
      {
        uid: "ann",
        kind: "fcm",
        platform: "android",
        providerId: "fcm-main",
        session: await sha256("ann_1700000000aaaa"),
      },
      { uid: "ben", kind: "apns", session: await sha256("ben_1700000000bbbb") },
      { uid: "ben", kind: "voip", refreshedAt: at("2026-10-06T10:00:00Z") },
    ]);
    expect(others).toEqual(["5 skipped: a platform that is not known"]);
    expect(JSON.stringify(items)).not.toContain("aaaa");
  });

  it("Ably", async ({ expect }) => {
    const { items, others } = await fixture("ably", "ably.json");
    expect(items).toMatchObject([
      { uid: "ann", kind: "fcm", token: "fcm-ably-1", platform: "android", device: { id: "dev-1" } },
      { uid: "ben", kind: "apns", platform: "ios", device: { id: "dev-2" } },
    ]);
    expect(others).toEqual([
      "4 skipped: a web push subscription, or no FCM or APNs",
      "5 skipped: failed there",
      "6 skipped: no user",
    ]);
  });

  it("Stream, with a reply per line", async ({ expect }) => {
    const { items, others } = await fixture("stream", "stream.json");
    expect(items).toMatchObject([
      { uid: "ann", kind: "fcm", token: "fcm-stream-1", providerId: "main", device: { id: "hw-1" } },
      { uid: "ben", kind: "voip" },
      { uid: "ben", kind: "apns", registeredAt: at("2026-06-01T10:00:00Z") },
    ]);
    expect(others).toEqual(["2 skipped: a provider that is not FCM or APNs", "2 skipped: disabled"]);
  });

  it("Firestore, with lists and maps of tokens and typed values", async ({ expect }) => {
    const hints = { tokenField: "fcmTokens", seenField: "lastSeen" };
    const { items, others } = await fixture("firestore", "firestore.ndjson", hints);
    expect(items).toEqual([
      { uid: "ann", kind: "fcm", token: "fcm-firestore-1", refreshedAt: at("2026-10-07T10:00:00Z") },
      { uid: "ann", kind: "fcm", token: "fcm-firestore-2", refreshedAt: at("2026-10-07T10:00:00Z") },
      { uid: "ben", kind: "fcm", token: "fcm-firestore-3", platform: "ios", refreshedAt: at("2026-10-08T10:00:00Z") },
    ]);
    expect(others).toEqual(["3 skipped: no token", "4 rejected: no JSON object"]);
  });

  it("this registry, field by field, with mistakes in it", async ({ expect }) => {
    const { items, others } = await fixture("ndjson", "ours.ndjson");
    const [first = ""] = (await readFile(join(FIXTURES, "ours.ndjson"), "utf8")).split("\n");
    expect(items[0]).toEqual(JSON.parse(first));
    expect(items.slice(1)).toMatchObject([
      { uid: "ben", refreshedAt: at("2026-10-09T08:00:00Z") },
      { uid: "ben", refreshedAt: at("2026-10-08T10:00:00Z") },
    ]);
    expect(others).toEqual([
      "5 rejected: The kind field must be one of fcm, apns, voip.",
      "6 rejected: The token field must hold only visible ASCII characters, without spaces.",
      "7 skipped: no token",
      "8 rejected: The refreshedAt field is no time.",
      "9 rejected: no JSON object",
    ]);
  });

  it("a table with columns of its own, a byte-order mark, semicolons and CRLF", async ({ expect }) => {
    const columns = { uid: "owner_id", kind: "platform", refreshedAt: "updated_at", "device.model": "device model" };
    const { items, others } = await fixture("csv", "table.csv", { columns });
    expect(items).toEqual([
      {
        uid: "ann",
        kind: "fcm",
        token: "fcm-csv-1",
        refreshedAt: at("2026-10-10T10:00:00Z"),
        device: { model: "Pixel; 9" },
      },
      { uid: "ben", kind: "apns", token: expect.stringMatching(/^aabb0+c$/), refreshedAt: 1_791_000_000_000 },
    ]);
    expect(others).toEqual(["4 skipped: a kind that is not fcm, apns or voip: windows", "5 skipped: no user"]);
  });
});

describe("a table", () => {
  const table = async (text: string, hints: Partial<Hints> = {}) => read("csv", await temporaryFile(text), hints);

  it("holds quotes and other delimiters in its fields, and goes on behind them", async ({ expect }) => {
    const rows = ["ann,fcm,t-1,Ann; phone", 'ben,fcm,t-2,the "old" one', 'cem,fcm,t-3,5" screen', 'dan,fcm,t-4,"a, b"'];
    const entries = await table(`uid,kind,token,device.name\n${rows.join("\n")}\n`);
    expect(entries.map((entry) => entry.is === "item" && [entry.item.token, entry.item.device?.name])).toEqual([
      ["t-1", "Ann; phone"],
      ["t-2", 'the "old" one'],
      ["t-3", '5" screen'],
      ["t-4", "a, b"],
    ]);
    expect(await table("uid;token;kind\nann;t-1,2;fcm\n")).toMatchObject([{ item: { token: "t-1,2" } }]);
  });

  it("says where a row has more fields than columns, and takes the others", async ({ expect }) => {
    const entries = await table("uid,kind,token\nann,fcm,a,t-1,\nben,fcm,t-2,,\ncem,fcm\n");
    expect(entries).toEqual([
      { line: 2, is: "rejected", why: "more fields than the first line has columns" },
      { line: 3, is: "item", item: { uid: "ben", kind: "fcm", token: "t-2" } },
      { line: 4, is: "skipped", why: "no token" },
    ]);
  });

  it.for([
    ["is never closed", 'ben,fcm,"t-2\ncem,fcm,t-3\n'],
    ["has other text behind it", 'ben,fcm,t-2,"5" screen\ncem,fcm,t-3\n'],
    ["is closed by one of another row", 'ben,fcm,t-2,"5 inch\ncem,fcm,t-3,"6 inch\ndan,fcm,t-4\n'],
  ])("is refused whole where a quote %s: nobody knows what is lost", async ([, rows], { expect }) => {
    const text = `uid,kind,token,device.name\nann,fcm,t-1,"two ""big""\n lines"\n${rows}`;
    await expect(table(text)).rejects.toThrow(/cannot be read from line 4 on: a quote that opens a field there/);
  });

  it("is refused where a row does not end: a file in one row would not fit into the memory", async ({ expect }) => {
    const text = `uid,kind,token,device.name\nann,fcm,t-1,"${"x".repeat(33 * 2 ** 20)}"\n`;
    await expect(table(text)).rejects.toThrow(/cannot be read from line 2 on/);
  });

  it("is refused without the columns that are needed or named", async ({ expect }) => {
    await expect(table("ann,fcm,t-1\n")).rejects.toThrow(/names no column "uid", "token"$/);
    await expect(table("uid,kind,token\n", { columns: { uid: "owner" } })).rejects.toThrow(/no column "owner"$/);
    await expect(read("onesignal", await temporaryFile("id,identifier,device_type\n"))).rejects.toThrow(
      /no column "external_user_id"$/,
    );
    const twice = "id,kind,token,id\n4711,fcm,t-1,ann\n";
    await expect(table(twice, { columns: { uid: "id" } })).rejects.toThrow(/names the column "id" twice$/);
    const seenTwice = "uid,kind,token,refreshedAt,refreshedAt\nann,fcm,t-1,,2026-01-01T00:00:00Z\n";
    await expect(table(seenTwice)).rejects.toThrow(/names the column "refreshedAt" twice$/);
    expect(await table("uid,kind,token,note,note\nann,fcm,t-1,a,b\n")).toHaveLength(1);
    const kinds = "uid,kind,token,k,kind\nann,web,t-1,fcm,web\n";
    expect(await table(kinds, { columns: { kind: "k" } })).toMatchObject([{ item: { kind: "fcm" } }]);
    expect(() => hintsOf({ ...NOTHING_GIVEN, columns: "user=owner" }, "csv")).toThrow(
      /user is none of uid, kind, token/,
    );
  });
});

describe("every format", () => {
  it.for(FORMAT_NAMES)(
    "%s: an empty file holds nothing, and of another file's bytes nothing is taken",
    async (name, { expect }) => {
      expect(await read(name, await temporaryFile(""))).toEqual([]);
      for (const content of ["\u0000\u0001\n\n{\n", '[{"a":1},[{"b":2}', '"a","b\n1,2\n', gzipSync("%PDF-1.4\nx")]) {
        const entries = await read(name, await temporaryFile(content)).catch((error) => error);
        if (entries instanceof Error)
          expect(entries.message).toMatch(/the first line of the file names no column|cannot be read from line 1 on/);
        else expect(entries.filter(({ is }: Entry) => is === "item")).toEqual([]);
      }
    },
  );

  it("credits nobody with what names no user: all tags of an Azure device, or the JSON of an SNS endpoint", async ({
    expect,
  }) => {
    const azure = await fixture("azure", "azure.xml", hintsOf(NOTHING_GIVEN, "azure"));
    expect(azure.items.map(({ uid }) => uid)).toEqual(["ann", "ben & co"]);
    expect(azure.others).toContain("6 skipped: no user");
    const sns = await fixture("sns", "sns.json", hintsOf(NOTHING_GIVEN, "sns"));
    expect(sns.items).toEqual([]);
    expect(sns.others[0]).toMatch(/rejected: CustomUserData is JSON: say --uid-from json:PATH/);
  });

  it("is told by options of its own alone, and of no day that is to come", ({ expect }) => {
    const tomorrow = new Date(Date.now() + 86_400_000).toISOString();
    expect(() => hintsOf({ ...NOTHING_GIVEN, seen: tomorrow }, "sns")).toThrow("--seen must not be later than now");
    expect(hintsOf({ ...NOTHING_GIVEN, seen: "2026-10-01" }, "sns").seenAt).toBe(at("2026-10-01T00:00:00Z"));
    expect(() => hintsOf({ ...NOTHING_GIVEN, "uid-field": "owner" }, "csv")).toThrow(
      "--uid-field is for parse and firestore, not for csv",
    );
    expect(() => hintsOf({ ...NOTHING_GIVEN, columns: "uid=owner" }, "onesignal")).toThrow("--columns is for csv");
  });

  it("may be UTF-16 with a byte-order mark", async ({ expect }) => {
    for (const [name, file] of [
      ["ably", "ably.json"],
      ["csv", "table.csv"],
    ] as const) {
      const text = (await readFile(join(FIXTURES, file), "utf8")).replace(/^\ufeff/, "");
      const utf16 = await temporaryFile(Buffer.from(`\ufeff${text}`, "utf16le"));
      const columns: Record<string, string> = name === "csv" ? { uid: "owner_id", kind: "platform" } : {};
      expect(await read(name, utf16, { columns })).toEqual(await read(name, join(FIXTURES, file), { columns }));
    }
  });

  it("is not one where a document lacks the list of its records", async ({ expect }) => {
    const none = [{ line: 4, is: "rejected", why: "no JSON object" }];
    expect(await read("stream", await temporaryFile('{\n "data": [{"id":"x"}]\n}\n'))).toEqual(none);
    expect(await read("stream", await temporaryFile('{\n "devices": []\n}\n'))).toEqual([]);
  });

  it("reads gzip, and says where a broken file ends", async ({ expect }) => {
    const plain = await readFile(join(FIXTURES, "onesignal.csv"));
    const whole = await read("onesignal", join(FIXTURES, "onesignal.csv"));
    expect(await read("onesignal", await temporaryFile(gzipSync(plain)))).toEqual(whole);
    const half = await temporaryFile(gzipSync(plain).subarray(0, 200));
    await expect(read("onesignal", half)).rejects.toThrow(/unexpected end of file/);
    const array = (await readFile(join(FIXTURES, "ably.json"), "utf8")).slice(0, 400);
    const entries = await read("ably", await temporaryFile(array));
    expect(entries.at(-1)).toEqual({ line: 3, is: "rejected", why: "no JSON object" });
    expect(entries).toHaveLength(2);
  });

  it("reads records that lie across the parts of a large file", { timeout: 60_000 }, async ({ expect }) => {
    const device = (n: number) => ({
      id: `d-${n}`,
      clientId: `user-${n} "{[é`,
      note: "x".repeat(n % 300),
      push: { recipient: { transportType: "fcm", registrationToken: `token-${n}` }, state: "ACTIVE" },
    });
    const devices = Array.from({ length: 5000 }, (_, n) => device(n));
    const entries = await read("ably", await temporaryFile(JSON.stringify(devices, null, 1)));
    expect(entries.map((entry) => (entry.is === "item" ? entry.item.uid : entry.why))).toEqual(
      devices.map(({ clientId }) => clientId),
    );
  });
});

describe("what stands in place of a uid, a token or a time", () => {
  it.for([
    [{ objectId: "ann" }, "is neither text nor a number"],
    [["ann"], "is neither text nor a number"],
    [true, "is neither text nor a number"],
    [2 ** 60, "is a number that JSON cannot hold: write it as text"],
    [1.5, "is a number that JSON cannot hold: write it as text"],
    ["Jos\ufffd", "is no UTF-8"],
  ] as const)("%j is rejected", ([value, why], { expect }) => {
    const good = { uid: "ann", kind: "fcm", token: "t-1" };
    expect(toItem({ ...good, uid: value })).toEqual({ is: "rejected", why: `The uid field ${why}.` });
    expect(toItem({ ...good, token: value })).toEqual({ is: "rejected", why: `The token field ${why}.` });
    expect(toItem({ ...good, uid: 4711 })).toMatchObject({ item: { uid: "4711" } });
  });

  it("a day of the last century is rejected", ({ expect }) => {
    const why = "The refreshedAt field is of a day before push tokens were.";
    for (const refreshedAt of [0, "1970-01-01", "1999-12-31T00:00:00Z"]) {
      expect(toItem({ uid: "ann", kind: "fcm", token: "t-1", refreshedAt })).toEqual({ is: "rejected", why });
    }
  });
});

it("a word for nothing is no user, but in this registry's own lines, where it is a name", async ({ expect }) => {
  const lines = ["nil", "Nan", "null", ""].map((uid, n) => ({ uid, kind: "fcm", token: `t-${n}` }));
  const own = await temporaryFile(lines.map((line) => JSON.stringify(line)).join("\n"));
  expect((await read("ndjson", own)).map((entry) => (entry.is === "item" ? entry.item.uid : entry.why))).toEqual([
    ...["nil", "Nan", "null", "no user"],
  ]);
  const rows = lines.map(({ uid, kind, token }) => [uid, kind, token].join());
  const table = await read("csv", await temporaryFile(`uid,kind,token\n${rows.join("\n")}\n`));
  expect(table.map((entry) => entry.is !== "item" && entry.why)).toEqual([
    ...Array.from({ length: 3 }, () => "no user, but a word for nothing"),
    "no user",
  ]);
});

describe("a time", () => {
  it.for([
    ["2026-10-01T08:30:00Z", "2026-10-01T08:30:00Z"],
    ["2026-10-01T08:30:00", "2026-10-01T08:30:00Z"],
    ["2026-10-01 08:30:00", "2026-10-01T08:30:00Z"],
    ["2026-10-01 08:30:00 UTC", "2026-10-01T08:30:00Z"],
    ["2026-10-01 08:30:00.123456+00", "2026-10-01T08:30:00.123Z"],
    ["2026-10-01 08:30:00-03", "2026-10-01T11:30:00Z"],
    ["2026-10-01 8:30", "2026-10-01T08:30:00Z"],
    ["2026-10-01 08:30:00 +0000 UTC", "2026-10-01T08:30:00Z"],
    ["Thu, 01 Oct 2026 08:30:00 GMT", "2026-10-01T08:30:00Z"],
    ["Thu Oct 01 2026 08:30:00 GMT+0200 (CEST)", "2026-10-01T06:30:00Z"],
    ["01.10.2026", null],
    ["10/01/2026", null],
    ["2026-1-5", null],
    ["2026-02-30", null],
    ["Oct 1, 2026", null],
    ["5", null],
    ["-1", null],
    [{ $date: "2026-10-01T08:30:00Z" }, "2026-10-01T08:30:00Z"],
    [{ $date: { $numberLong: "1790843400000" } }, "2026-10-01T08:30:00Z"],
    [{ _seconds: 1_790_843_400, _nanoseconds: 0 }, "2026-10-01T08:30:00Z"],
    [{ __type: "Date", iso: "2026-10-01T08:30:00.000Z" }, "2026-10-01T08:30:00Z"],
    [{}, null],
    [null, null],
    [Number.POSITIVE_INFINITY, null],
    ["2026-10-01T08:30:00+05:30", "2026-10-01T03:00:00Z"],
    ["2026-10-01 08:30:00 +0530", "2026-10-01T03:00:00Z"],
    ["2026-10-01", "2026-10-01T00:00:00Z"],
    ["1790843400", "2026-10-01T08:30:00Z"],
    ["1790843400000", "2026-10-01T08:30:00Z"],
    ["soon", null],
  ] as const)("%j", ([given, expected], { expect }) => {
    const time = timeOf(given);
    expect(time === null ? null : new Date(time).toISOString()).toBe(expected && new Date(expected).toISOString());
  });
});

describe("the first look", () => {
  it("counts what adds up, and of one installation the entry that was seen last", async ({ expect }) => {
    const scratch = new Scratch({ fcmInstallations: true });
    onTestFinished(() => scratch.close());
    const entries = await read("ndjson", join(FIXTURES, "ours.ndjson"));
    const survey = await surveyOf(asyncOf(entries), scratch, () => {});
    expect(survey).toMatchObject({ entries: 8, registrations: 2, users: 2, duplicates: 1, skipped: { "no token": 1 } });
    // The upper-case spelling of the APNs token was seen later.
    expect([...scratch.due(0)].map(({ line }) => line).sort()).toEqual([1, 3]);
    expect([...scratch.rejected()].map(({ line }) => line)).toEqual([5, 6, 8, 9]);
  });
});

it.for([true, false])(
  "a FID and what begins with it are one installation where the app says so: %s",
  async (isOne, { expect }) => {
    const scratch = new Scratch({ fcmInstallations: isOne });
    onTestFinished(() => scratch.close());
    const fid = "cabcdefghijklmnopqrstu";
    const items = [fid, `${fid}:APA91`].map(
      (token): Entry => ({ line: 1, is: "item", item: { uid: "ann", kind: "fcm", token } }),
    );
    const survey = await surveyOf(asyncOf(items), scratch, () => {});
    expect([survey.registrations, survey.duplicates]).toEqual(isOne ? [1, 1] : [2, 0]);
  },
);

async function* asyncOf<T>(values: readonly T[]): AsyncGenerator<T> {
  yield* values;
}
