// `npm run explain`: why a user does, or does not, get pushes, as a running registry knows it. docs/no-push.md explains the verdicts.
import type { Explanation } from "../src/domain/explain.ts";
import type { Change } from "../src/domain/registration.ts";
import { defineCommand, main } from "./lib/command.ts";
import { REGISTRY_OPTIONS, registryOf } from "./lib/registry.ts";

interface Device {
  id: string;
  kinds: string[];
  platforms: string[];
  lastSeenAt: number;
  muted: boolean;
  suspect: boolean;
  device?: { name?: string; model?: string };
}

type Explained = Explanation & { uid: string; devices: Device[]; changes: Change[] };

export const command = defineCommand({
  name: "explain",
  summary:
    "Says why a user does, or does not, get pushes: a verdict, what to do about it, the user's devices, and what happened to them. " +
    "It asks a running registry, and changes nothing.",
  operands: { placeholder: "UID", help: "The user's id, as your back end writes it.", min: 1, max: 1 },
  options: REGISTRY_OPTIONS,
  examples: [
    "alice --url https://push.example.com --app-id acme",
    "alice --url http://localhost:8787 --app-id demo --api-key demo-sender-key",
  ],
  hasJson: true,
  async run(values, { output, operands: [uid = ""] }) {
    const path = `/v3/users/${encodeURIComponent(uid)}/explain`;
    const explained = (await registryOf(values).call("GET", path)) as Explained;
    output.result(explained, () => {
      const { verdict, next, devices, changes, evidence } = explained;
      output.say(`${explained.uid}: ${verdict.code}. ${verdict.sentence}`);
      output.say(`What to do: ${next}`);
      if (devices.length > 0) output.say("\nDevices");
      for (const device of devices) output.say(`  ${deviceLine(device)}`);
      if (changes.length > 0) output.say("\nWhat happened (* what the verdict rests on)");
      const isEvidence = (change: Change) => evidence.some((each) => JSON.stringify(each) === JSON.stringify(change));
      for (const change of changes) output.say(`${isEvidence(change) ? "*" : " "} ${changeLine(change)}`);
    });
    return 0;
  },
});

function deviceLine({ id, kinds, platforms, lastSeenAt, muted, suspect, device = {} }: Device): string {
  const name = device.name ?? device.model;
  return [
    ...(name === undefined ? [] : [JSON.stringify(name)]),
    platforms.join(", "),
    kinds.join(", "),
    `last seen ${timeOf(lastSeenAt)}`,
    ...(muted ? ["muted"] : []),
    ...(suspect ? ["suspect"] : []),
    `session ${id}`,
  ].join("; ");
}

function changeLine({ at, change, kind, platform, session, token, code }: Change): string {
  const said = code === undefined ? "" : ` (${code})`;
  return `${timeOf(at)}  ${change}${said}  ${kind} token ${token} on ${platform}, session ${session}`;
}

function timeOf(at: number): string {
  return new Date(at).toISOString();
}

if (import.meta.main) await main(command);
