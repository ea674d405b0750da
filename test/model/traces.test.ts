// The worst orders of events that are known, one a rule of the protocol: with the rule the promises hold, and without it the
// very same order breaks one. docs/ownership.md names them.
import { describe, it } from "vitest";
import { DAY_MS, TAKEOVER_WINDOW_MS } from "../../src/limits.ts";
import { TOKENS } from "./schedule.ts";
import { runner } from "./search.ts";
import { Story } from "./story.ts";
import { describeTraces, type Trace } from "./trace.ts";

const [F0, F1, A0] = TOKENS as [(typeof TOKENS)[0], (typeof TOKENS)[0], (typeof TOKENS)[0]];

const [FID, LEGACY] = TOKENS.slice(4) as [(typeof TOKENS)[0], (typeof TOKENS)[0]];

const protocol = await runner();

const TRACES: Trace[] = [
  {
    name: "a rival's claim overtakes the reply to one's own",
    rules: ["a registration does not look again for releases"],
    async tell(on) {
      const story = new Story(on);
      story.register("ann", story.login("ann"), F0);
      story.register("bob", story.login("bob"), F0);
      await story.arrives("register", "ann");
      await story.arrives("claim", "ann"); // granted to ann; the reply is on its way
      await story.arrives("register", "bob");
      await story.arrives("claim", "bob");
      await story.arrives("release", "ann"); // ann holds nothing yet
      await story.answered("release", "ann");
      await story.answered("claim", "ann");
      return { story, ann: [], bob: ["f0"], owner: ["bob"] };
    },
  },
  {
    name: "two registrations of one user are in flight, and a rival's",
    rules: ["registrations of one user do not take turns"],
    async tell(on) {
      const story = new Story(on);
      const session = story.login("ann");
      story.register("ann", session, F0);
      story.register("ann", session, F0);
      await story.arrives("register", "ann");
      await story.arrives("register", "ann");
      await story.arrives("claim", "ann");
      story.register("bob", story.login("bob"), F0);
      await story.arrives("register", "bob");
      await story.arrives("claim", "bob");
      const release = story.onItsWay("release", "ann");
      await story.world.fireTimer(); // the owner object gives up: bob gets 503
      // Without turns: the second claim, granted after bob's began, is stored and acknowledged; then the first one's version.
      await story.mayArrive("claim", "ann");
      await story.answered("claim", "ann", "last");
      await story.rest(release);
      return { story, ann: [], bob: [], owner: ["ann"] };
    },
  },
  {
    name: "a logout comes while a granted claim is on its way back",
    rules: ["a registration does not look again for removals", "a removal does not cancel the registrations under way"],
    async tell(on) {
      const story = new Story(on);
      const session = story.login("ann");
      story.register("ann", session, F0);
      await story.arrives("register", "ann");
      await story.arrives("claim", "ann");
      story.send("ann", { do: "remove", session, all: false });
      await story.arrives("remove", "ann");
      await story.answered("claim", "ann");
      return { story, ann: [], owner: [] };
    },
  },
  {
    name: "a late registration arrives after its session's logout",
    rules: ["a logout leaves no fence"],
    async tell(on) {
      const story = new Story(on);
      const session = story.login("ann");
      const late = story.register("ann", session, F0);
      story.send("ann", { do: "endSession", session });
      await story.rest(late);
      return { story, ann: [], owner: [] };
    },
  },
  {
    name: "a forget is overtaken by the token's next registration",
    rules: ["a forget ignores versions"],
    async tell(on) {
      const story = new Story(on);
      const session = story.login("ann");
      story.register("ann", session, F0);
      await story.rest();
      story.send("ann", { do: "remove", session, all: false });
      await story.arrives("remove", "ann");
      await story.published("ann");
      const forget = story.onItsWay("forget", "ann");
      story.register("ann", session, F0);
      await story.rest(forget);
      return { story, ann: ["f0"], owner: ["ann"] };
    },
  },
  {
    name: "a token is removed from one session while another session of the user registers it",
    rules: ["a forget is sent while a registration is in flight"],
    async tell(on) {
      const story = new Story(on);
      const first = story.login("ann", 0);
      const second = story.login("ann", 1);
      story.register("ann", first, F0);
      await story.rest();
      // It holds f0 already, so it waits only for the claim of a0.
      story.register("ann", second, F0, A0);
      await story.arrives("register", "ann");
      story.send("ann", { do: "remove", session: first, all: false });
      await story.arrives("remove", "ann");
      await story.published("ann");
      await story.mayArrive("forget", "ann");
      await story.rest();
      return { story, ann: ["a0", "f0"], owner: ["ann"] };
    },
  },
  {
    name: "a release is delayed past the old owner's return",
    rules: ["a release ignores versions", "versions start over once an entry is forgotten"],
    async tell(on) {
      const story = new Story(on);
      const ann = story.login("ann");
      story.register("ann", ann, F0);
      await story.rest();
      story.register("bob", story.login("bob"), F0);
      await story.arrives("register", "bob");
      await story.arrives("claim", "bob");
      const release = story.onItsWay("release", "ann");
      await story.world.fireTimer(); // the owner object gives up: bob gets 503
      story.send("ann", { do: "remove", session: ann, all: false });
      await story.rest(release);
      story.register("ann", ann, F0);
      await story.rest(release);
      return { story, ann: ["f0"], bob: [], owner: ["ann"] };
    },
  },
  {
    name: "a release is delayed past the old owner's return, whose claim was granted before",
    rules: ["the present owner's claim keeps its version"],
    async tell(on) {
      const story = new Story(on);
      const ann = story.login("ann");
      story.register("ann", ann, F0);
      await story.rest();
      // ann's object loses its registration, but its forget never leaves: the entry stays.
      story.send("ann", { do: "remove", session: ann, all: false });
      await story.arrives("remove", "ann", "before anything was sent");
      story.register("bob", story.login("bob"), F0);
      await story.arrives("register", "bob");
      await story.arrives("claim", "bob");
      const release = story.onItsWay("release", "ann");
      await story.world.fireTimer();
      story.register("ann", ann, F0);
      await story.rest(release);
      return { story, ann: ["f0"], bob: [], owner: ["ann"] };
    },
  },
  {
    name: "an evicted token comes back",
    rules: ["a forget ignores versions"],
    async tell(on) {
      const story = new Story(on, { small: true });
      const [first, second] = [story.login("ann", 0), story.login("ann", 1)];
      story.register("ann", first, F0, A0);
      await story.rest();
      story.world.pass(1);
      story.register("ann", second, F1, TOKENS[3] as typeof F0); // 4 registrations, 3 are allowed
      await story.arrives("register", "ann");
      await story.arrives("claim", "ann");
      await story.answered("claim", "ann");
      await story.arrives("claim", "ann");
      await story.answered("claim", "ann");
      await story.published("ann");
      const forget = story.onItsWay("forget", "ann", F0);
      story.world.pass(1);
      story.register("ann", first, F0);
      await story.rest(forget);
      return { story, ann: ["a1", "f0", "f1"], owner: ["ann"] };
    },
  },
  {
    name: "the old owner registers again before it let go",
    rules: ["a token is granted before it is released"],
    async tell(on) {
      const story = new Story(on);
      story.register("ann", story.login("ann"), F0);
      await story.rest();
      story.register("bob", story.login("bob"), F0);
      await story.arrives("register", "bob");
      await story.arrives("claim", "bob");
      return { story, ann: [], bob: ["f0"], owner: ["bob"] };
    },
  },
  {
    name: "the old owner's object does not answer",
    rules: ["a release that is not answered counts as done"],
    async tell(on) {
      const story = new Story(on);
      story.register("ann", story.login("ann"), F0);
      await story.rest();
      story.register("bob", story.login("bob"), F0);
      await story.arrives("register", "bob");
      await story.arrives("claim", "bob");
      const release = story.onItsWay("release", "ann");
      await story.world.fireTimer();
      await story.rest(release);
      return { story, bob: [], owner: ["ann"] };
    },
  },
  {
    name: "two rivals claim a token at once",
    rules: ["claims of one token do not take turns"],
    async tell(on) {
      const story = new Story(on);
      story.register("ann", story.login("ann"), F0);
      await story.rest();
      story.register("bob", story.login("bob"), F0);
      story.register("eve", story.login("eve"), F0);
      await story.arrives("register", "bob");
      await story.arrives("register", "eve");
      await story.arrives("claim", "bob");
      await story.arrives("claim", "eve");
      return { story, ann: [], bob: [], owner: ["eve"] };
    },
  },
  {
    name: "a claim arrives after its caller gave up, and after the user was erased",
    rules: ["a claim is granted after its caller gave up"],
    async tell(on) {
      const story = new Story(on);
      const session = story.login("ann");
      story.register("ann", session, F0);
      await story.arrives("register", "ann");
      const claim = story.onItsWay("claim", "ann");
      await story.world.fireTimer();
      story.world.pass(1);
      story.register("ann", session, F0);
      await story.rest(claim);
      story.send("ann", { do: "erase" });
      await story.rest(claim);
      return { story, ann: [], owner: [] };
    },
  },
  {
    name: "a session that ended first comes back when its fence has given way to others",
    rules: ["fences that gave way are forgotten"],
    async tell(on) {
      const story = new Story(on, { identity: "cometchat", small: true });
      const [holds, ended, later] = [story.login("ann", 0), story.login("ann", 1), story.login("ann", 2)];
      story.register("ann", holds, F0);
      await story.rest();
      const late = story.register("ann", ended, A0);
      for (const session of [ended, later]) story.send("ann", { do: "endSession", session });
      await story.rest(late);
      await story.arrives("register", "ann");
      await story.rest();
      // One that holds something goes on.
      story.register("ann", holds, F1);
      await story.rest();
      return { story, ann: ["f1"], owner: [] };
    },
  },
  {
    name: "an auth token without a trusted time comes back after an erasure",
    rules: ["an erasure drops the fences of sessions without a trusted time"],
    async tell(on) {
      const story = new Story(on, { identity: "cometchat" });
      const session = story.login("ann");
      const late = story.register("ann", session, F0);
      story.send("ann", { do: "endSession", session });
      await story.rest(late);
      story.send("ann", { do: "erase" });
      await story.rest(late);
      return { story, ann: [], owner: [] };
    },
  },
  {
    name: "a token was the user's alone, came to be shared, and is to be one user's again",
    rules: ["a shared claim tells nobody"],
    async tell(on) {
      const story = new Story(on, { policy: "exclusive, shared, exclusive" });
      const session = story.login("ann");
      story.register("ann", session, F0);
      await story.rest();
      story.declare("shared");
      story.register("bob", story.login("bob"), F0);
      await story.rest();
      story.declare("exclusive");
      story.register("ann", session, F0);
      await story.rest();
      return { story, ann: ["f0"], bob: [], owner: ["ann"] };
    },
  },
  {
    name: "another user comes to share a token while its registration is on its way",
    rules: ["a registration does not look again for who shares its token"],
    async tell(on) {
      const story = new Story(on, { policy: "exclusive, shared, exclusive" });
      story.register("ann", story.login("ann"), F0);
      await story.arrives("register", "ann");
      await story.arrives("claim", "ann"); // granted; the reply is on its way
      story.declare("shared");
      story.register("bob", story.login("bob"), F0);
      await story.arrives("register", "bob");
      await story.arrives("claim", "bob");
      await story.arrives("share", "ann"); // ann holds nothing yet
      await story.answered("claim", "ann");
      await story.rest();
      return { story, ann: ["f0"], bob: ["f0"], owner: ["ann", "bob"] };
    },
  },
  {
    name: "all sessions end twice, the second time when the app allows shorter ones",
    rules: ["a mark can be shortened"],
    async tell(on) {
      const story = new Story(on);
      story.changeSettings(); // three days
      const session = story.login("ann");
      story.send("ann", { do: "endAllSessions" });
      await story.rest();
      story.changeSettings(); // one day
      story.send("ann", { do: "endAllSessions" });
      await story.rest();
      await story.alarm("ann", 2 * DAY_MS);
      story.register("ann", session, F0);
      return { story, ann: [], owner: [] };
    },
  },
  {
    name: "a session ends, and then the app allows longer ones",
    rules: ["a mark ends by the setting of its time"],
    async tell(on) {
      const story = new Story(on, { identity: "jwt" });
      const session = story.login("ann");
      story.send("ann", { do: "endSession", session });
      await story.rest();
      story.changeSettings(); // three days
      await story.alarm("ann", 2 * DAY_MS);
      const { id } = session;
      const now = story.world.now();
      story.register("ann", { id, issuedAt: now, usableUntil: now + DAY_MS }, F0);
      return { story, ann: [], owner: [] };
    },
  },
  {
    name: "a crash in the middle of an erasure",
    rules: ["an erasure writes its marks after everything was deleted"],
    async tell(on) {
      const story = new Story(on);
      const session = story.login("ann");
      story.register("ann", session, F0);
      await story.rest();
      story.send("ann", { do: "endSession", session });
      await story.rest();
      story.register("ann", story.login("ann"), F1);
      await story.rest();
      story.send("ann", { do: "erase" });
      await story.arrives("erase", "ann");
      await story.published("ann");
      await story.arrives("settledOwners", "ann");
      await story.answered("settledOwners", "ann");
      await story.arrives("erase", "ann"); // the owner object's part
      await story.answered("erase", "ann", "first", "before the commit");
      story.register("ann", session, F0);
      return { story, ann: [], owner: [] };
    },
  },
  {
    name: "a session ends, and the user's data go back to the time before",
    rules: ["a restore forgets the marks"],
    async tell(on) {
      const story = new Story(on, { identity: "jwt" });
      const session = story.login("ann");
      story.register("ann", session, F0);
      await story.rest();
      story.remember("ann");
      story.send("ann", { do: "endSession", session });
      await story.rest();
      story.restore("ann");
      await story.rest();
      story.world.pass(1);
      story.register("ann", { ...session, issuedAt: story.world.now() }, F0);
      return { story, ann: [], owner: [] };
    },
  },
  {
    name: "a session ends while the user's data are about to go back",
    rules: ["sessions end while a restore is prepared"],
    async tell(on) {
      const story = new Story(on, { identity: "jwt" });
      const session = story.login("ann");
      story.register("ann", session, F0);
      await story.rest();
      story.remember("ann");
      story.restore("ann");
      await story.arrives("prepareRestore", "ann");
      await story.arrives("keepMarks", "ann");
      story.send("ann", { do: "endSession", session });
      await story.arrives("endSession", "ann");
      await story.mayBeAnswered("endSession", "ann");
      await story.rest();
      story.world.pass(1);
      story.register("ann", { ...session, issuedAt: story.world.now() }, F0);
      return { story, owner: ["ann"] };
    },
  },
  {
    name: "a token is taken from its owner, who may take no more of others",
    rules: ["a limit of takeovers keeps the owner out"],
    async tell(on) {
      const story = new Story(on, { limited: true });
      const session = story.login("ann");
      story.register("bob", story.login("bob"), F1);
      story.register("ann", session, F0);
      await story.rest();
      story.register("ann", story.login("ann", 1), F1); // the one that ann may take
      await story.rest();
      story.register("eve", story.login("eve"), F0);
      await story.rest();
      story.register("ann", session, F0);
      return { story, ann: ["f0", "f1"], bob: [], owner: ["ann"] };
    },
  },
  {
    name: "an owner comes back after the hour, and is robbed again at once",
    rules: ["an installation counts each time it is taken"],
    async tell(on) {
      const story = new Story(on, { limited: true });
      const session = story.login("ann");
      story.register("ann", session, F0);
      await story.rest();
      story.register("bob", story.login("bob"), F0);
      await story.rest();
      story.world.pass(TAKEOVER_WINDOW_MS);
      story.register("ann", session, F0); // counted: nobody knows any more whose it was
      await story.rest();
      story.register("bob", story.login("bob"), F0); // free: the owner before
      await story.rest();
      story.register("ann", session, F0);
      return { story, ann: ["f0"], bob: [], owner: ["ann"] };
    },
  },
  {
    name: "a legacy token is reported dead after its installation came to another form of it",
    rules: ["a report prunes another form of the token"],
    async tell(on) {
      const story = new Story(on);
      const session = story.login("ann");
      story.register("ann", session, LEGACY);
      await story.rest();
      story.register("ann", session, FID);
      await story.rest();
      story.send("ann", { do: "feedback", token: LEGACY });
      return { story, ann: [FID.token], owner: [] };
    },
  },
];

describeTraces(TRACES, protocol);

describe("an erasure that an owner object held up", () => {
  it("does not take what was registered after it", async ({ expect }) => {
    const story = new Story(protocol);
    story.register("ann", story.login("ann", 0), F0);
    await story.rest();
    story.send("ann", { do: "erase" });
    await story.arrives("erase", "ann");
    await story.published("ann");
    const lost = story.onItsWay("settledOwners", "ann");
    await story.world.fireTimer(); // the far alarm would be set, but for the erasure
    await story.world.fireTimer(); // unavailable
    await story.answered("erase", "ann");
    story.register("ann", story.login("ann", 1), F1);
    await story.rest(lost);
    const ann = story.world.object("model:ann");
    await story.world.fireAlarm(ann);
    await story.rest();
    expect(story.holds("ann")).toMatchObject([{ token: "f1" }]);
    expect(story.owners(F0)).toEqual([]);
    expect(story.owners(F1)).toEqual(["ann"]);
  });

  it("leaves no entry of what was registered while it waited for its turn", async ({ expect }) => {
    const story = new Story(protocol, { identity: "cometchat" });
    story.register("ann", story.login("ann", 0), F1);
    await story.arrives("register", "ann");
    story.send("ann", { do: "erase" });
    await story.arrives("erase", "ann"); // waits for the registration under way
    story.register("ann", story.login("ann", 1), F0);
    await story.arrives("register", "ann");
    await story.rest();
    expect(story.holds("ann").map(({ token }) => token)).toEqual(["f0"]);
    expect(story.owners(F0)).toEqual(["ann"]);
    expect(story.owners(F1)).toEqual([]);
  });
});
