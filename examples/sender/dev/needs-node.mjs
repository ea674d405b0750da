// Loaded before each command: an older Node cannot read TypeScript.
const [major, minor] = process.versions.node.split(".").map(Number);

if (major < 22 || (major === 22 && minor < 18)) {
  console.error(`Node 22.18 or later is needed; this is ${process.versions.node}.`);
  process.exit(1);
}
