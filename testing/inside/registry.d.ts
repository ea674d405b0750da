// registry.js is the bundle of src/index.ts.
export * from "../../src/index.ts";
export { default } from "../../src/index.ts";
