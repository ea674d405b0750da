// The worst orders of events for what lookups show, one a rule of the directory's protocol. docs/directory.md names the rules.
import { describe, it } from "vitest";
import { MUTATIONS } from "./mutations.ts";
import { TOKENS } from "./schedule.ts";
import { runner } from "./search.ts";
import { Story } from "./story.ts";
import { describeTraces, type Trace } from "./trace.ts";

const [F0, F1] = TOKENS as [(typeof TOKENS)[0], (typeof TOKENS)[0]];

const protocol = await runner();

/** ann holds the first token, and everything is at rest. */
async function annHolds(story: Story) {
  const session = story.login("ann");
  story.register("ann", session, F0);
  await story.rest();
  return session;
}

/** As soon as the directory would be asked, ann's object falls silent for whoever waits for it; bob wants the token. */
async function bobRegistersMeanwhile(story: Story): Promise<void> {
  const put = story.onItsWay("put", "ann");
  story.register("bob", story.login("bob"), F0);
  await story.rest(put);
}

const WAITING: Trace[] = [
  {
    name: "a token is removed",
    rules: ["a change is published after it was acknowledged"],
    async tell(on) {
      const story = new Story(on);
      const session = await annHolds(story);
      story.send("ann", { do: "remove", session, all: false });
      await story.arrives("remove", "ann");
      await story.mayBeAnswered("remove", "ann");
      return { story, ann: [], owner: [] };
    },
  },
  {
    name: "a registration is repeated before the directory has heard of it",
    rules: ["an unchanged registration does not wait for the directory"],
    async tell(on) {
      const story = new Story(on);
      const session = story.login("ann");
      story.register("ann", session, F0);
      await story.arrives("register", "ann");
      await story.arrives("claim", "ann");
      await story.answered("claim", "ann");
      story.register("ann", session, F0);
      await story.arrives("register", "ann");
      await story.mayBeAnswered("register", "ann");
      return { story, ann: ["f0"], owner: ["ann"] };
    },
  },
  {
    name: "a logout is repeated by a caller who only guesses the session",
    rules: ["an end of what is not known does not wait for the directory"],
    async tell(on) {
      const story = new Story(on);
      const session = await annHolds(story);
      story.send("ann", { do: "endSession", session });
      await story.arrives("endSession", "ann");
      const put = story.onItsWay("put", "ann");
      await story.rest(put); // 503
      story.send("ann", { do: "endSession", session, onlyIfKnown: true });
      await story.arrives("endSession", "ann");
      await story.mayBeAnswered("endSession", "ann");
      return { story, ann: [], owner: [] };
    },
  },
  {
    name: "a token is claimed that was removed a moment ago",
    rules: ["a release without a row does not wait for the directory", "a forget is sent with the commit"],
    async tell(on) {
      const story = new Story(on);
      const session = await annHolds(story);
      story.send("ann", { do: "remove", session, all: false });
      await story.arrives("remove", "ann");
      await story.mayArrive("forget", "ann");
      await bobRegistersMeanwhile(story);
      return { story, ann: [], bob: [], owner: [] };
    },
  },
  {
    name: "a token is handed over",
    rules: ["a release is answered before the directory has confirmed"],
    async tell(on) {
      const story = new Story(on);
      await annHolds(story);
      story.register("bob", story.login("bob"), F0);
      await story.arrives("register", "bob");
      await story.arrives("claim", "bob");
      await story.arrives("release", "ann");
      await story.rest(story.onItsWay("put", "ann"));
      return { story, ann: [], bob: [], owner: ["ann"] };
    },
  },
  {
    name: "a token is taken whose registration the directory is about to confirm",
    rules: ["a forget is kept of what is held"],
    async tell(on) {
      const story = new Story(on);
      story.register("ann", story.login("ann"), F0);
      await story.arrives("register", "ann");
      await story.arrives("claim", "ann");
      await story.answered("claim", "ann");
      story.register("bob", story.login("bob"), F0);
      await story.arrives("register", "bob");
      await story.arrives("claim", "bob");
      await story.arrives("release", "ann");
      await story.published("ann"); // that ann holds it
      const put = story.onItsWay("put", "ann"); // that it was let go of
      await story.rest(put);
      story.register("eve", story.login("eve"), F0);
      await story.rest(put);
      return { story, ann: [], bob: [], owner: ["eve"] };
    },
  },
  {
    name: "a token is claimed whose owner is erased",
    rules: ["an erasure tells owner objects before the directory"],
    async tell(on) {
      const story = new Story(on);
      await annHolds(story);
      story.send("ann", { do: "erase" });
      await story.arrives("erase", "ann");
      await story.mayArrive("settledOwners", "ann");
      await story.mayBeAnswered("settledOwners", "ann");
      await story.mayArrive("erase", "ann");
      await story.mayBeAnswered("erase", "ann");
      await bobRegistersMeanwhile(story);
      return { story, ann: [], bob: [], owner: [] };
    },
  },
  {
    name: "a token is registered while its removal is published",
    rules: [
      "who waits takes any publication for the right one",
      "a confirmation counts for what was changed meanwhile",
    ],
    async tell(on) {
      const story = new Story(on);
      const session = await annHolds(story);
      story.send("ann", { do: "remove", session, all: false });
      await story.arrives("remove", "ann");
      story.register("ann", session, F0);
      await story.arrives("register", "ann");
      await story.arrives("claim", "ann");
      await story.answered("claim", "ann");
      await story.published("ann"); // the removal
      await story.mayBeAnswered("register", "ann");
      return { story, ann: ["f0"], owner: ["ann"] };
    },
  },
];

const MARKED: Trace[] = [
  {
    name: "a crash right after a removal",
    rules: ["the near alarm is set in a commit of its own"],
    async tell(on) {
      const story = new Story(on);
      const session = await annHolds(story);
      story.send("ann", { do: "remove", session, all: false });
      await story.arrives("remove", "ann", "before anything was sent");
      return { story, ann: [], owner: ["ann"] };
    },
  },
  {
    name: "a removal comes between a confirmation and the far alarm",
    rules: ["the far alarm is set though there was a change meanwhile"],
    async tell(on) {
      const story = new Story(on);
      const session = story.login("ann");
      story.register("ann", session, F0);
      await story.arrives("register", "ann");
      await story.arrives("claim", "ann");
      await story.answered("claim", "ann");
      await story.published("ann");
      story.send("ann", { do: "remove", session, all: false });
      await story.arrives("remove", "ann");
      await story.world.fireTimer(); // the far alarm would be set
      return { story, ann: [], owner: [] };
    },
  },
  {
    name: "the alarm goes off while a removal is published, and there was a change since",
    rules: ["a far alarm is set for what came after the alarm had gone off"],
    async tell(on) {
      const story = new Story(on);
      const session = story.login("ann");
      story.register("ann", session, F0);
      await story.arrives("register", "ann");
      await story.arrives("claim", "ann");
      await story.answered("claim", "ann");
      const lost = story.onItsWay("put", "ann");
      await story.rest(lost); // 503, and the near alarm stands
      const { storage } = story.object("ann");
      story.world.pass((storage.alarm ?? 0) - 100 - story.world.now());
      story.send("ann", { do: "remove", session, all: false });
      await story.arrives("remove", "ann");
      story.register("ann", session, F1);
      await story.arrives("register", "ann");
      await story.arrives("claim", "ann");
      await story.answered("claim", "ann");
      await story.world.fireAlarm(story.object("ann"));
      await story.published("ann"); // the removal
      return { story, ann: ["f1"], owner: [] };
    },
  },
  {
    name: "a crash between the two halves of an erasure",
    rules: ["the far alarm is set while the user is erased"],
    async tell(on) {
      const story = new Story(on);
      await annHolds(story);
      story.send("ann", { do: "erase" });
      await story.arrives("erase", "ann");
      await story.published("ann");
      await story.world.fireTimer(); // the far alarm would be set
      story.world.crash(story.object("ann"));
      return { story, ann: [], owner: [] };
    },
  },
  {
    name: "the platform loses the alarm of a removal",
    rules: ["no alarm counts as published"],
    async tell(on) {
      const story = new Story(on);
      const session = await annHolds(story);
      story.send("ann", { do: "remove", session, all: false });
      await story.arrives("remove", "ann", "before anything was sent");
      story.world.loseAlarm(story.object("ann"), false);
      story.send("ann", { do: "remove", session, all: false });
      return { story, ann: [], owner: ["ann"] };
    },
  },
  {
    name: "the directory does not answer an alarm",
    rules: ["the alarm rests though the directory did not confirm"],
    async tell(on) {
      const story = new Story(on);
      const session = await annHolds(story);
      story.send("ann", { do: "remove", session, all: false });
      await story.arrives("remove", "ann", "before anything was sent");
      await story.world.fireAlarm(story.object("ann"));
      await story.rest("put");
      return { story, ann: [], owner: ["ann"] };
    },
  },
  {
    name: "an erasure, while the directory does not answer",
    rules: ["an object is deleted whole while something is due"],
    async tell(on) {
      const story = new Story(on);
      await annHolds(story);
      story.send("ann", { do: "erase" });
      await story.arrives("erase", "ann");
      await story.rest("put");
      return { story, ann: [], owner: [] };
    },
  },
];

const VERSIONS: Trace[] = [
  {
    name: "a publication is late",
    rules: ["the directory compares no versions", "there is no floor", "an empty state without a row raises no floor"],
    async tell(on) {
      const story = new Story(on);
      const session = story.login("ann");
      story.register("ann", session, F0);
      await story.arrives("register", "ann");
      await story.arrives("claim", "ann");
      await story.answered("claim", "ann");
      const late = story.onItsWay("put", "ann");
      await story.rest(late);
      story.send("ann", { do: "remove", session, all: false });
      await story.rest(late);
      return { story, ann: [], owner: [] };
    },
  },
  {
    name: "two changes in one millisecond",
    rules: ["a version is the clock"],
    async tell(on) {
      const story = new Story(on);
      const session = story.login("ann");
      story.register("ann", session, F0);
      await story.arrives("register", "ann");
      await story.arrives("claim", "ann");
      await story.answered("claim", "ann");
      story.send("ann", { do: "remove", session, all: false });
      await story.arrives("remove", "ann");
      await story.published("ann"); // the registration
      await story.mayBeAnswered("remove", "ann");
      return { story, ann: [], owner: [] };
    },
  },
  {
    name: "a user whose version was deleted registers again",
    rules: ["versions start over when they were deleted"],
    async tell(on) {
      const story = new Story(on);
      story.send("ann", { do: "reconcile" });
      await story.arrives("reconcile", "ann");
      await story.arrives("marks", "ann");
      await story.answered("marks", "ann");
      await story.arrives("put", "ann");
      await story.answered("put", "ann", "first", "after everything was sent");
      await story.rest(); // the alarm publishes, and deletes what is over
      story.world.pass(1);
      story.register("ann", story.login("ann"), F0);
      return { story, ann: ["f0"], owner: ["ann"] };
    },
  },
  {
    name: "a user registers below the floor",
    rules: ["what the directory refuses counts as published", "what the directory refuses is put again as it is"],
    async tell(on) {
      const story = new Story(on);
      story.send("bob", { do: "reconcile" });
      await story.rest();
      story.register("ann", story.login("ann"), F0);
      return { story, ann: ["f0"], bob: [], owner: ["ann"] };
    },
  },
  {
    name: "the user's data go back, and what the directory was to hear before comes after",
    rules: ["a restored object publishes without the margin"],
    async tell(on) {
      const story = new Story(on);
      const session = await annHolds(story);
      story.remember("ann");
      story.world.pass(1);
      story.restore("ann");
      await story.prepared("ann");
      story.send("ann", { do: "mute", session, muted: true });
      await story.arrives("mute", "ann");
      await story.world.fireTimer(); // 503
      story.send("ann", { do: "remove", session, all: false });
      await story.arrives("remove", "ann");
      const late = story.world.calls.filter(({ method }) => method === "put");
      await story.rest(...late);
      return { story, ann: ["f0"], owner: ["ann"] };
    },
  },
  {
    name: "an operator reconciles while a restore is prepared",
    rules: ["a reconciliation goes on while a restore is prepared"],
    async tell(on) {
      const story = new Story(on);
      await annHolds(story);
      story.remember("ann");
      story.world.pass(1);
      story.send("ann", { do: "reconcile" });
      await story.arrives("reconcile", "ann");
      await story.arrives("marks", "ann");
      await story.answered("marks", "ann");
      await story.arrives("renew", "ann");
      story.restore("ann");
      await story.prepared("ann");
      await story.answered("renew", "ann");
      story.world.pass(1);
      for (const token of TOKENS.slice(1, 3)) {
        story.import("ann", story.world.now(), null, token);
        await story.arrives("importAll", "ann");
        await story.arrives("claim", "ann");
        await story.answered("claim", "ann");
      }
      await story.world.fireTimer(); // 503
      story.send("ann", { do: "show", isKnown: true });
      await story.arrives("show", "ann");
      const late = story.world.calls.filter(({ method }) => method === "put");
      await story.rest(...late);
      return { story, ann: [], owner: ["ann"] };
    },
  },
  {
    name: "an operator reconciles beside a restore",
    rules: ["a reconciliation beside a restore asks for no marks"],
    async tell(on) {
      const story = new Story(on, { cold: true });
      story.remember("ann");
      await annHolds(story);
      story.world.pass(1);
      story.restore("ann");
      await story.restarts("ann");
      story.send("ann", { do: "reconcile" });
      await story.rest();
      return { story, ann: [], owner: ["ann"] };
    },
  },
  {
    name: "the user's data go back twice within a minute, and what the first reconciliation published comes after",
    rules: ["a restored object knows no version of before"],
    async tell(on) {
      const story = new Story(on);
      story.remember("ann");
      await annHolds(story);
      story.remember("ann");
      story.world.pass(1);
      story.restore("ann", 1);
      await story.restarts("ann");
      await story.arrives("reconcile", "ann");
      await story.arrives("marks", "ann");
      await story.answered("marks", "ann");
      await story.arrives("renew", "ann");
      await story.answered("renew", "ann");
      const late = story.onItsWay("put", "ann");
      story.world.pass(1);
      story.restore("ann");
      await story.restarts("ann");
      await story.arrives("reconcile", "ann");
      await story.arrives("marks", "ann");
      await story.answered("marks", "ann");
      const own = story.world.calls.findLast(({ method }) => method === "put");
      if (own !== undefined) await story.world.arrive(own);
      await story.answered("put", "ann");
      await story.arrives("dropMarks", "ann");
      await story.answered("dropMarks", "ann");
      await story.answered("reconcile", "ann", "last");
      await story.world.arrive(late);
      return { story, ann: [], owner: ["ann"] };
    },
  },
  {
    name: "the user's data go back, and their next version is one that the directory has",
    rules: ["a restored object without the margin meets a directory that compares no contents"],
    tell: backToTheSameVersion,
  },
];

const SHOWN: Trace[] = [
  {
    name: "a registration is refreshed",
    rules: ["a refresh moves what is shown, under the same version"],
    async tell(on) {
      const story = new Story(on, { refreshes: true });
      const session = await annHolds(story);
      story.world.pass(1);
      story.register("ann", session, F0);
      return { story, ann: ["f0"], owner: ["ann"] };
    },
  },
  {
    name: "a registration is repeated after the epoch was raised",
    rules: ["another epoch changes nothing for who was published"],
    async tell(on) {
      const story = new Story(on);
      const session = await annHolds(story);
      story.raiseEpoch();
      story.register("ann", session, F0);
      return { story, ann: ["f0"], owner: ["ann"] };
    },
  },
];

async function backToTheSameVersion(on: typeof protocol) {
  const story = new Story(on);
  const session = await annHolds(story);
  story.remember("ann");
  story.world.pass(1);
  story.restore("ann");
  await story.prepared("ann");
  story.send("ann", { do: "mute", session, muted: true });
  await story.arrives("mute", "ann");
  await story.published("ann");
  await story.rest();
  return { story, ann: ["f0"], owner: ["ann"] };
}

describeTraces([...WAITING, ...MARKED, ...VERSIONS, ...SHOWN], protocol);

describe("a directory that compares contents", () => {
  it("refuses the same version with another state", async ({ expect }) => {
    const without = await runner(MUTATIONS["a restored object publishes without the margin"]);
    const { story } = await backToTheSameVersion(without);
    expect(story.holds("ann")).toMatchObject([{ token: "f0" }]);
  });
});
