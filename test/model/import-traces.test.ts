// The worst orders of events for imports that are known: with each rule the promises hold, and without it the very same order
// breaks one.
import { DAY_MS } from "../../src/limits.ts";
import { TOKENS } from "./schedule.ts";
import { runner } from "./search.ts";
import { Story } from "./story.ts";
import { describeTraces, type Trace } from "./trace.ts";

const [F0, F1, A0, A1] = TOKENS as [(typeof TOKENS)[0], (typeof TOKENS)[0], (typeof TOKENS)[0], (typeof TOKENS)[0]];

const TRACES: Trace[] = [
  {
    name: "a logout comes while the claim of an import is on its way back",
    rules: ["an import does not look again for what came between"],
    async tell(on) {
      const story = new Story(on);
      const session = story.login("ann");
      story.import("ann", story.world.now() + 1_000, session, F0);
      await story.arrives("importAll", "ann");
      await story.arrives("claim", "ann");
      story.send("ann", { do: "endSession", session });
      await story.arrives("endSession", "ann");
      await story.answered("claim", "ann");
      return { story, ann: [], owner: [] };
    },
  },
  {
    name: "a file has for one user what another user's device registered before",
    rules: ["an import takes what another user's device registered"],
    async tell(on) {
      const story = new Story(on);
      story.register("ann", story.login("ann"), F0);
      await story.rest();
      story.world.pass(1_000);
      story.import("bob", story.world.now(), null, F0);
      return { story, ann: ["f0"], bob: [], owner: ["ann"] };
    },
  },
  {
    name: "an import asks for a token whose registration is on its way",
    rules: ["an import takes what another user is registering"],
    async tell(on) {
      const story = new Story(on);
      story.register("ann", story.login("ann"), F0);
      await story.arrives("register", "ann");
      await story.arrives("claim", "ann"); // granted; the reply is on its way
      story.import("bob", story.world.now(), null, F0);
      await story.arrives("importAll", "bob");
      await story.arrives("claim", "bob");
      await story.arrives("releaseImported", "ann");
      return { story, ann: ["f0"], bob: [], owner: ["ann"] };
    },
  },
  {
    name: "a file was made after the user's own device registered",
    rules: ["an import moves what the user's own device registered"],
    async tell(on) {
      const story = new Story(on);
      story.register("ann", story.login("ann"), F0);
      await story.rest();
      story.world.pass(1_000);
      story.import("ann", story.world.now(), null, F0);
      return { story, ann: ["f0"], owner: ["ann"] };
    },
  },
  {
    name: "a file knows the device's session, and has another token for it",
    rules: ["an import takes the slot of a device's registration"],
    async tell(on) {
      const story = new Story(on);
      const session = story.login("ann");
      story.register("ann", session, F0);
      await story.rest();
      story.world.pass(1_000);
      story.import("ann", story.world.now(), session, F1);
      return { story, ann: ["f0"], owner: ["ann"] };
    },
  },
  {
    name: "a file from before a removal is imported after it",
    rules: ["an import brings back what went"],
    async tell(on) {
      const story = new Story(on);
      const session = story.login("ann");
      story.register("ann", session, F0);
      await story.rest();
      story.send("ann", { do: "remove", session, all: false });
      await story.rest();
      story.import("ann", story.world.now() - DAY_MS, null, F0);
      return { story, ann: [], owner: [] };
    },
  },
  {
    name: "a file knows the session of a device that has logged out",
    rules: ["an import asks for no fence"],
    async tell(on) {
      const story = new Story(on);
      const session = story.login("ann");
      story.send("ann", { do: "endSession", session });
      await story.rest();
      story.world.pass(1_000);
      story.import("ann", story.world.now(), session, F0);
      return { story, ann: [], owner: [] };
    },
  },
  {
    name: "a rival takes what is being registered, and the user's own import takes it back before the answer",
    rules: [],
    async tell(on) {
      const story = new Story(on);
      story.register("ann", story.login("ann"), A0);
      await story.arrives("register", "ann");
      await story.arrives("claim", "ann");
      await story.answered("claim", "ann"); // the directory is yet to hear of it
      story.register("ann", story.login("ann", 1), F0, A1);
      await story.arrives("register", "ann");
      await story.arrives("claim", "ann");
      story.import("ann", story.world.now() - DAY_MS, null, F0);
      await story.arrives("importAll", "ann");
      story.register("bob", story.login("bob"), F0);
      await story.arrives("register", "bob");
      await story.arrives("claim", "bob");
      await story.arrives("release", "ann");
      story.world.crash(story.object("bob"));
      await story.answered("claim", "ann"); // F0 went meanwhile
      await story.arrives("claim", "ann");
      await story.answered("claim", "ann"); // A1 is stored; the directory is yet to hear of that, too
      await story.published("ann");
      await story.arrives("claim", "ann"); // the import's
      await story.answered("release", "ann");
      await story.arrives("releaseImported", "bob");
      await story.answered("releaseImported", "bob");
      await story.answered("claim", "ann");
      return { story, ann: ["a0", "a1", "f0"], bob: [], owner: ["ann"] };
    },
  },
  {
    name: "a file of after an erasure knows the session of a device that had logged out before it",
    rules: ["an import takes a session of the file for one that goes on"],
    async tell(on) {
      const story = new Story(on);
      const session = story.login("ann");
      story.send("ann", { do: "endSession", session });
      await story.rest();
      story.send("ann", { do: "erase" });
      await story.rest();
      story.world.pass(1_000);
      story.import("ann", story.world.now(), session, F0);
      return { story, ann: ["f0"], owner: ["ann"] };
    },
  },
  {
    name: "a file has more for a user than a user may hold",
    rules: ["an import does not know when a user is full"],
    async tell(on) {
      const story = new Story(on, { small: true });
      story.import("ann", story.world.now(), null, F0, F1, A0, A1);
      return { story, ann: ["a0", "f0", "f1"], owner: ["ann"] };
    },
  },
];

describeTraces(TRACES, await runner());
