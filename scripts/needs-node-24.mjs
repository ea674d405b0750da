import * as nodeModule from "node:module";

// Loaded before each command. The commands are TypeScript, which an old Node cannot read; the package `node` brings a new one, unless
// its install script was not allowed to run.
const NEEDED = 24;

if (Number.parseInt(process.versions.node, 10) < NEEDED) {
  console.error(
    `Node ${NEEDED} is missing (this is ${process.versions.node}), because npm did not run the install scripts of packages: run npm ci --ignore-scripts=false.`,
  );
  process.exit(1);
}

// What was read once is kept beside other temporary files: a second run begins sooner, and needs 30 MB less, because nothing has to
// be translated.
nodeModule.enableCompileCache?.();
