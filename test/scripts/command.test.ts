// The library of all commands: options, refusals, progress, and where a registry is.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, it, onTestFinished } from "vitest";
import { CommandError, defineCommand, execute, helpOf, parse } from "../../scripts/lib/command.ts";
import { choice, flag, number, numbers, text, UsageError } from "../../scripts/lib/options.ts";
import { duration, Output, rounded, withRoundedNumbers } from "../../scripts/lib/output.ts";
import { REGISTRY_OPTIONS, registryOf } from "../../scripts/lib/registry.ts";
import { caught } from "../support/node/caught.ts";

const sample = defineCommand({
  name: "sample",
  summary: "Does nothing.",
  options: {
    count: number({ help: "How many.", min: 1, max: 10, default: 3 }),
    share: number({ help: "Which part.", min: 0, max: 1, fractions: true, default: null }),
    sizes: numbers({ help: "Which sizes.", min: 1, default: [1, 2] }),
    kind: choice({ help: "Which kind.", placeholder: "KIND", choices: ["fcm", "apns"] as const, default: "fcm" }),
    file: text({ help: "Where from.", placeholder: "FILE", default: null }),
    dry: flag("Change nothing."),
  },
  operands: { placeholder: "UID", help: "Who.", min: 1, max: 1 },
  examples: ["alice"],
  hasJson: true,
  run: ({ count }, { output, operands }) => {
    output.result({ count, operands }, () => output.say(`${count} of ${operands.join()}`));
    return count === 10 ? 1 : 0;
  },
});

const calling = defineCommand({
  name: "calling",
  summary: "Calls a registry.",
  options: REGISTRY_OPTIONS,
  examples: [""],
  hasJson: false,
  run: async (values) => {
    await registryOf(values).call("GET", "/v3/users/alice/push_tokens");
    return 0;
  },
});

describe("options", () => {
  it("are read, by default or as given", ({ expect }) => {
    expect(parse(sample, ["alice"], {})).toEqual({
      values: { count: 3, share: null, sizes: [1, 2], kind: "fcm", file: null, dry: false },
      operands: ["alice"],
      isJson: false,
    });
    const args = [
      "--count=5",
      "--share",
      "0.5",
      "bob",
      "--sizes",
      "7,8",
      "--kind",
      "apns",
      "--dry",
      "--json",
      "--file",
      "-",
    ];
    expect(parse(sample, args, {})).toEqual({
      values: { count: 5, share: 0.5, sizes: [7, 8], kind: "apns", file: "-", dry: true },
      operands: ["bob"],
      isJson: true,
    });
  });

  it.for([
    [["alice", "--count", "0"], "--count must be a number from 1 to 10, not 0"],
    [["alice", "--count", "1.5"], "--count must be a whole number from 1 to 10, not 1.5"],
    [["alice", "--count", "two\nlines"], "--count must be a number from 1 to 10, not two\\nlines"],
    [["alice", "--count"], "--count needs a value: NUMBER"],
    [["alice", "--share", "2"], "--share must be a number from 0 to 1, not 2"],
    [["alice", "--sizes", "1,,2"], '--sizes must be a number of at least 1, not ""'],
    [["alice", "--kind", "voip"], "--kind must be one of fcm, apns; not voip"],
    [["alice", "--file", ""], "--file must not be empty"],
    [["alice", "--dry=yes"], "--dry takes no value"],
    [["alice", "--counts", "3"], "--counts is no option; there are --count, --share, "],
    [["alice", "--constructor", "3"], "--constructor is no option"],
    [["alice", "-c"], "-c is no option"],
    [["alice", "bob"], "bob is not expected here"],
    [[], "UID is missing"],
  ] as const)("%j is refused by name", ([args, message], { expect }) => {
    expect(() => parse(sample, [...args], {})).toThrow(UsageError);
    expect(() => parse(sample, [...args], {})).toThrow(message);
  });

  it("give way to --help, wherever it stands", ({ expect }) => {
    expect(parse(sample, ["--count", "abc", "--help"], {})).toBe("help");
    expect(parse(sample, ["-h"], {})).toBe("help");
    expect(helpOf(sample)).toContain("  --count NUMBER   How many. Default: 3.");
  });
});

describe("a command", () => {
  it("ends with the code that it answers, with 2 and one line where it is misused", async ({ expect }) => {
    expect(await caught(() => execute(sample, ["alice"], {}))).toEqual({ code: 0, out: "3 of alice\n", errors: "" });
    expect(await caught(() => execute(sample, ["alice", "--count", "10"], {}))).toMatchObject({ code: 1 });
    expect(await caught(() => execute(sample, [], {}))).toEqual({
      code: 2,
      out: "",
      errors: `UID is missing (npm run ${sample.name} -- --help)\n`,
    });
  });

  it("prints its result as one JSON document on demand", async ({ expect }) => {
    const { out } = await caught(() => execute(sample, ["alice", "--json"], {}));
    expect(JSON.parse(out)).toEqual({ count: 3, operands: ["alice"] });
  });

  it.for([
    ["EROFS", "/data/x", "/data/x cannot be read or written (EROFS): use another path"],
    ["ENOENT", "/none/x", "/none/x cannot be read or written (ENOENT): use another path"],
    ["EACCES", join(tmpdir(), "push-token-registry-build-x"), "(EACCES): use another directory in TMPDIR."],
    ["ENOSPC", undefined, "The disk is full (ENOSPC): make room, and run this again."],
  ] as const)("says in one sentence what to do about %s", async ([code, path, says], { expect }) => {
    const failing = { ...sample, run: () => Promise.reject(Object.assign(new Error("in English"), { code, path })) };
    const { errors, ...rest } = await caught(() => execute(failing, ["alice"], {}));
    expect(rest).toEqual({ code: 1, out: "" });
    expect(errors).toMatch(/^[^\n]+\n$/);
    expect(errors).toContain(says);
  });

  it("says where there is no room for its temporary database", async ({ expect }) => {
    const run = () => {
      const database = new DatabaseSync(":memory:");
      database.exec("PRAGMA max_page_count = 2; CREATE TABLE one (x); CREATE TABLE two (x)");
      return Promise.resolve(0);
    };
    const { errors } = await caught(() => execute({ ...sample, run }, ["alice"], {}));
    expect(errors).toBe(
      `There is no room for temporary files in ${tmpdir()}: make room, or use another directory in TMPDIR.\n`,
    );
  });

  it("hides no fault of its own", async ({ expect }) => {
    const failing = { ...sample, run: () => Promise.reject(new TypeError("a fault")) };
    await expect(execute(failing, ["alice"], {})).rejects.toThrow("a fault");
  });
});

describe("a command that calls a registry", () => {
  const env = { REGISTRY_URL: "http://127.0.0.1:1", REGISTRY_APP_ID: "demo", REGISTRY_API_KEY: "key" };

  it("takes where it is from the environment, and from options first", ({ expect }) => {
    expect(parse(calling, [], env)).toMatchObject({
      values: { url: "http://127.0.0.1:1", "app-id": "demo", "api-key": "key" },
    });
    expect(parse(calling, ["--app-id", "acme"], env)).toMatchObject({ values: { "app-id": "acme" } });
    expect(() => parse(calling, [], {})).toThrow("--url is needed, or REGISTRY_URL in the environment");
    expect(() => parse(calling, [], { ...env, REGISTRY_URL: "nowhere" })).toThrow(
      "REGISTRY_URL must be an http or https",
    );
    expect(() => parse(calling, ["--api-key", ""], env)).toThrow("--api-key must not be empty");
  });

  it("ends with 1 and the registry's own words where it is refused or not there", async ({ expect }) => {
    const server = createServer((request, response) => {
      const isKnown = request.headers.appid === "demo" && request.headers.apikey === "key";
      const error = { code: "AUTH_ERR_APIKEY_NOT_FOUND", message: "The API key is wrong.", details: {} };
      response.end(request.url === "/text" ? "text" : JSON.stringify(isKnown ? { data: { uid: "alice" } } : { error }));
    });
    onTestFinished(() => void server.close());
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const values = { url: `${url}/`, "app-id": "demo", "api-key": "key" };
    expect(await registryOf(values).call("POST", "/v3/x", {})).toEqual({ uid: "alice" });
    await expect(registryOf(values).call("GET", "/text")).rejects.toThrow("is that a registry?");

    const refused = await caught(() => execute(calling, ["--url", url, "--api-key", "other"], env));
    expect(refused).toMatchObject({ code: 1, out: "" });
    expect(refused.errors).toMatch(/^GET \S+ was answered 200 AUTH_ERR_APIKEY_NOT_FOUND: The API key is wrong\.\n$/);
    const away = await caught(() => execute(calling, [], env));
    expect(away).toMatchObject({ code: 1, out: "" });
    expect(away.errors).toMatch(/^http:\/\/127\.0\.0\.1:1 does not answer.*\n$/);
    await expect(registryOf({ ...values, url: env.REGISTRY_URL }).call("GET", "/")).rejects.toThrow(CommandError);
  });
});

describe("progress", () => {
  /** An output with a clock that the test moves. */
  function watched(isTTY: boolean) {
    const written: string[] = [];
    const clock = { now: 0 };
    const progress = { isTTY, write: (line: string) => written.push(line) };
    return { written, clock, output: new Output(false, { progress, now: () => clock.now }) };
  }

  it("says nothing of what takes less than two seconds", ({ expect }) => {
    const { written, clock, output } = watched(true);
    const progress = output.progress("users", 10);
    for (clock.now = 0; clock.now < 2000; clock.now += 100) progress.at(1);
    progress.end();
    expect(written).toEqual([]);
  });

  it("draws one line again and again on a terminal, and takes it away at the end", ({ expect }) => {
    const { written, clock, output } = watched(true);
    const progress = output.progress("users", 4000);
    clock.now = 4000;
    progress.at(1000, "2 errors");
    progress.at(1001);
    progress.end();
    expect(written).toEqual([
      "\r\u001b[Kusers: 1,000 of 4,000 (25 %), 250 per second, about 12 s left; 2 errors",
      "\r\u001b[K",
    ]);
  });

  it("says no more than what was done where the total was too low a guess", ({ expect }) => {
    const { written, clock, output } = watched(false);
    const progress = output.progress("entries", 10);
    clock.now = 4000;
    progress.at(400, "a note");
    expect(written).toEqual(["entries: 400, 100 per second; a note\n"]);
  });

  it("is a plain line now and then where there is no terminal", ({ expect }) => {
    const { written, clock, output } = watched(false);
    const progress = output.progress("users", 100);
    for (clock.now = 0; clock.now <= 25_000; clock.now += 1000) progress.at(clock.now / 1000);
    progress.end();
    expect(written.map((line) => line.split(",")[0])).toEqual([
      "users: 2 of 100 (2 %)",
      "users: 12 of 100 (12 %)",
      "users: 22 of 100 (22 %)",
    ]);
    expect(written.join("")).not.toContain("\u001b");
  });

  it("has figures that people read", ({ expect }) => {
    expect([0.12345, 1.5, 99.99, 1234.5, 1_234_567, Number.NaN].map(rounded)).toEqual([
      "0.123",
      "1.5",
      "100",
      "1,235",
      "1,234,567",
      "-",
    ]);
    expect([0.4, 80, 600, 9000].map(duration)).toEqual(["1 s", "80 s", "10 min", "2.5 h"]);
    expect(withRoundedNumbers({ a: [1 / 3, { b: 2 }], c: "0.3333" })).toEqual({ a: [0.33, { b: 2 }], c: "0.3333" });
  });
});
