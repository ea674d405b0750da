// What `npm run directory` says where a rebuild ends early: how it is gone on with.
import { it } from "vitest";
import { rebuild } from "../../scripts/directory.ts";
import { CommandError } from "../../scripts/lib/command.ts";
import { Output } from "../../scripts/lib/output.ts";

const silent = new Output(true, { out: { write: () => {} }, progress: { write: () => {} } });

/** A rebuild from that place with a registry that answers so. */
function rebuiltWith(answer: string): Promise<unknown> {
  const call = async () => {
    throw new CommandError(answer);
  };
  return rebuild({ call }, silent, { from: "cursor", repeats: 1, waitMs: 1 });
}

it("goes on from the place where a registry was away, and not from one that it refuses", async ({ expect }) => {
  await expect(rebuiltWith("it does not answer")).rejects.toThrow(/Go on with --rebuild --from cursor$/);
  await expect(rebuiltWith("it was answered 400: begin again without it.")).rejects.toThrow(
    /begin again without it\. That is --rebuild alone\.$/,
  );
});
