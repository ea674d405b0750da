// The order in which an import sends what stands in a file: what one call of the registry holds.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type ExpectStatic, it, onTestFinished } from "vitest";
import { newCheckpoint } from "../../../scripts/estate/checkpoint.ts";
import { importEntries } from "../../../scripts/estate/importing.ts";
import type { Entry, EstateItem } from "../../../scripts/estate/item.ts";
import { Rejects } from "../../../scripts/estate/rejects.ts";
import { Scratch } from "../../../scripts/estate/scratch.ts";
import { Sender } from "../../../scripts/estate/sending.ts";
import { surveyOf } from "../../../scripts/estate/survey.ts";
import { Output } from "../../../scripts/lib/output.ts";
import { IMPORT_CLAIMS_MAX } from "../../../src/limits.ts";
import { directory } from "../../support/node/estate.ts";

/** Imports the items, in that order, into a registry that takes everything; answers its calls in the order in which they came. */
async function calls(items: readonly EstateItem[], batch: number): Promise<EstateItem[][]> {
  const got: EstateItem[][] = [];
  const server = createServer(async (request, response) => {
    let text = "";
    for await (const chunk of request) text += chunk;
    const call = JSON.parse(text).items as EstateItem[];
    got.push(call);
    response.end(JSON.stringify({ data: { items: call.map(() => ({ outcome: "imported" })) } }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const scratch = new Scratch({ fcmInstallations: true });
  onTestFinished(() => scratch.close());
  const survey = await surveyOf(entriesOf(items), scratch, () => {});
  const checkpoint = newCheckpoint("");
  const target = { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, appId: "acme", apiKey: "key" };
  await importEntries(survey, {
    sender: new Sender(target, { repeats: 0, waitMs: 1 }, () => {}, batch),
    scratch,
    rejects: await Rejects.at(join(await directory(), "rejects"), 0),
    checkpoint,
    checkpointFile: null,
    parallel: 1,
    progress: new Output(true, { progress: { write: () => {} } }).progress("sent", items.length),
  });
  return got;
}

async function* entriesOf(items: readonly EstateItem[]): AsyncGenerator<Entry> {
  for (const [i, item] of items.entries()) yield { line: i + 1, is: "item", item };
}

const device = (uid: string, n: number): EstateItem => ({ uid, kind: "fcm", token: `token-${uid}-${n}` });

/** The file has the devices of a user far from each other. */
const spread = (users: number, devices: number) =>
  Array.from({ length: users * devices }, (_, n) => device(`user-${n % users}`, Math.floor(n / users)));

function expectEachOnce(expect: ExpectStatic, found: readonly EstateItem[][], items: readonly EstateItem[]) {
  const tokens = (of: readonly EstateItem[]) => of.map(({ token }) => token).sort();
  expect(tokens(found.flat())).toEqual(tokens(items));
}

it("sends what a user has in one call, in the order of the file", async ({ expect }) => {
  const items = spread(60, 5);
  const found = await calls(items, 50);
  expect(found.map((call) => call.length)).toEqual([50, 50, 50, 50, 50, 50]);
  for (const call of found) expect(new Set(call.map(({ uid }) => uid)).size).toBe(10);
  for (const [uid, ofUser] of Map.groupBy(found.flat(), (item) => item.uid)) {
    expect(ofUser).toEqual(Array.from({ length: 5 }, (_, n) => device(uid, n)));
  }
  expectEachOnce(expect, found, items);
});

it("sends no more of one user at once than the registry takes", async ({ expect }) => {
  const items = [...spread(3, 2 * IMPORT_CLAIMS_MAX + 5), ...spread(50, 1).map(({ uid }) => device(`${uid}-alone`, 0))];
  const found = await calls(items, 500);
  for (const call of found) {
    for (const [, ofUser] of Map.groupBy(call, ({ uid }) => uid)) {
      expect(ofUser.length).toBeLessThanOrEqual(IMPORT_CLAIMS_MAX);
    }
  }
  expectEachOnce(expect, found, items);
});
