// `npm run directory`: makes an app's directory anew from the objects of its users, by a running registry. docs/operations.md says
// when that is needed.
import { CommandError, defineCommand, main } from "./lib/command.ts";
import { flag, number, text, UsageError } from "./lib/options.ts";
import type { Output } from "./lib/output.ts";
import { mayHelp, REGISTRY_OPTIONS, type Registry, registryOf } from "./lib/registry.ts";

export interface Rebuilt {
  /** How often a user gave the directory its state: once per token that it owns, and once as the directory has it. */
  users: number;
  calls: number;
}

interface Step {
  users: number;
  done?: number;
  of?: number;
  cursor?: string;
}

interface Going {
  /** Where to begin; `null`: at the beginning. */
  from: string | null;
  /** How often one call is repeated. */
  repeats: number;
  /** The wait before the first repeat, ms; the double of it before the next. */
  waitMs: number;
}

/** Walks all owners and all of the directory. A call that fails is repeated: that does no harm. */
export async function rebuild(registry: Registry, output: Output, going: Going): Promise<Rebuilt> {
  const rebuilt = { users: 0, calls: 0 };
  let cursor = going.from ?? undefined;
  let progress: ReturnType<Output["progress"]> | undefined;
  do {
    const step = await stepFrom(registry, cursor, going);
    rebuilt.users += step.users;
    rebuilt.calls += 1;
    cursor = step.cursor;
    progress ??= output.progress("Objects walked", step.of ?? 1);
    progress.at(step.done ?? step.of ?? 1, cursor === undefined ? "" : `to go on from here: --from ${cursor}`);
  } while (cursor !== undefined);
  progress.end();
  return rebuilt;
}

async function stepFrom(registry: Registry, cursor: string | undefined, { repeats, waitMs }: Going): Promise<Step> {
  for (let failures = 0; ; failures += 1) {
    try {
      return (await registry.call("POST", "/v3/push_tokens/rebuild", cursor === undefined ? {} : { cursor })) as Step;
    } catch (error) {
      if (!(error instanceof CommandError) || failures === repeats || !mayHelp(error)) throw goingOn(error, cursor);
      await new Promise((resolve) => setTimeout(resolve, waitMs * 2 ** failures));
    }
  }
}

function goingOn(error: unknown, cursor: string | undefined): unknown {
  if (!(error instanceof CommandError) || cursor === undefined) return error;
  // The place itself is refused.
  if (error.message.includes("was answered 400")) return new CommandError(`${error.message} That is --rebuild alone.`);
  return new CommandError(`${error.message}\nWhat was done is done. Go on with --rebuild --from ${cursor}`);
}

async function forget(registry: Registry, output: Output, given: string): Promise<number> {
  const [, epoch, objects] = /^(\d+):(\d+)$/.exec(given) ?? [];
  if (epoch === undefined) throw new UsageError(`--forget must be EPOCH:OBJECTS, such as 1:8, not ${given}`);
  const body = { epoch: Number(epoch), objects: Number(objects) };
  await registry.call("POST", "/v3/push_tokens/forget_epoch", body);
  output.result(body, () => output.say(`Done: epoch ${epoch} holds nothing any more.`));
  return 0;
}

export const command = defineCommand({
  name: "directory",
  summary:
    "Makes the directory of an app anew, from the objects of all its users: after a loss, after an epoch was raised, or when in doubt. " +
    "The registry serves meanwhile, and nothing that is right is changed.",
  options: {
    rebuild: flag("Do it. It takes a call for every 40 tokens."),
    forget: text({
      help: "Delete what an earlier epoch holds, given as epoch and number of objects, after the rebuild of a later one.",
      placeholder: "EPOCH:OBJECTS",
      default: null,
    }),
    from: text({
      help: "Go on where an earlier run ended, which printed this text.",
      placeholder: "CURSOR",
      default: null,
      defaultSays: "the beginning",
    }),
    repeats: number({ help: "How often a call that fails is repeated.", min: 0, max: 20, default: 6 }),
    ...REGISTRY_OPTIONS,
  },
  examples: [
    "--rebuild --url https://push.example.com --app-id acme",
    "--forget 1:8 --url https://push.example.com --app-id acme",
  ],
  hasJson: true,
  async run(values, { output }) {
    if (values.rebuild === (values.forget !== null)) throw new UsageError("say --rebuild, or --forget EPOCH:OBJECTS");
    const registry = registryOf(values);
    if (values.forget !== null) return await forget(registry, output, values.forget);
    const rebuilt = await rebuild(registry, output, { from: values.from, repeats: values.repeats, waitMs: 500 });
    output.result(rebuilt, () => {
      output.say(
        `Done: ${rebuilt.users} answers of users, in ${rebuilt.calls} calls. The directory has what they have.`,
      );
      output.say(
        "If directory.complete is false in the app's table, set it to true now, and deploy; then --forget the epoch before.",
      );
    });
    return 0;
  },
});

if (import.meta.main) await main(command);
