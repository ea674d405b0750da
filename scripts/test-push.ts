// `npm run test-push`: a push to a user's devices by the sender that is bound to a registry. docs/console.md says how to bind one.
import type { TestAnswer } from "../src/domain/test-push.ts";
import { defineCommand, main } from "./lib/command.ts";
import { flag } from "./lib/options.ts";
import { REGISTRY_OPTIONS, registryOf } from "./lib/registry.ts";

export const command = defineCommand({
  name: "test-push",
  summary:
    "Sends a test push to a user's devices, and says per device what FCM or APNs answered. Muted devices get none. It asks a running " +
    "registry to which a sender is bound.",
  operands: { placeholder: "UID", help: "The user's id, as your back end writes it.", min: 1, max: 1 },
  options: {
    ...REGISTRY_OPTIONS,
    report: flag(
      "The answers are fed back to the registry: tokens that are dead may be removed. Without it nothing changes.",
    ),
  },
  examples: ["alice --url https://push.example.com --app-id acme", "alice --report"],
  notes: "The API key needs the scope fullAccess. Exit code 1: no device took the push.",
  hasJson: true,
  async run({ report, ...values }, { output, operands: [uid = ""] }) {
    const path = `/v3/users/${encodeURIComponent(uid)}/test`;
    const { devices } = (await registryOf(values).call("POST", path, { report })) as { devices: TestAnswer[] };
    output.result({ devices }, () => {
      if (devices.length === 0) output.say("No device can be pushed: npm run explain says why.");
      for (const device of devices) output.say(lineOf(device));
    });
    return devices.some(({ answer }) => answer === "delivered") ? 0 : 1;
  },
});

function lineOf({ kind, platform, sessionId, device, answer, code, outcome, why }: TestAnswer): string {
  const name = device?.name ?? device?.model;
  const of = name === undefined ? platform : JSON.stringify(name);
  const fedBack = outcome === undefined ? "" : `; ${outcome}: ${why}`;
  return `${of}, ${kind}, session ${sessionId}: ${answer}${code === undefined ? "" : ` (${code})`}${fedBack}`;
}

if (import.meta.main) await main(command);
