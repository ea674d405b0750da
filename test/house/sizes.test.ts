// How long a file and a function may be, so that each can be read in one go.
import { describe, it } from "vitest";
import { readSource } from "./source.ts";

const FILE_LINES_MAX = 350;
const FUNCTION_LINES_MAX = 60;

/** Longer files that are wanted, with the reason of each. (src/env.d.ts is generated, and not read.) */
const LONG_FILES: Readonly<Record<string, string>> = {};

/** Longer functions that are wanted, as `path: name`, with the reason of each. */
const LONG_FUNCTIONS: Readonly<Record<string, string>> = {};

describe.for(["src", "scripts"] as const)("%s/", (directory) => {
  const files = readSource(directory);
  const ofDirectory = (exceptions: object) => Object.keys(exceptions).filter((key) => key.startsWith(`${directory}/`));

  it(`has no file of more than ${FILE_LINES_MAX} lines, and no exception that is no longer needed`, ({ expect }) => {
    const long = files.filter(({ lines }) => lines > FILE_LINES_MAX);
    const listed = long.map(({ path, lines }) => `${path}: ${lines} lines`);
    expect(
      long.map(({ path }) => path),
      listed.join("\n"),
    ).toEqual(ofDirectory(LONG_FILES));
  });

  it(`has no function of more than ${FUNCTION_LINES_MAX} lines, and no exception that is no longer needed`, ({
    expect,
  }) => {
    const long = files.flatMap(({ path, functions }) =>
      functions.filter(({ lines }) => lines > FUNCTION_LINES_MAX).map((each) => ({ path, ...each })),
    );
    const listed = long.map(({ path, line, name, lines }) => `${path}:${line}: ${name} has ${lines} lines`);
    expect(
      long.map(({ path, name }) => `${path}: ${name}`),
      listed.join("\n"),
    ).toEqual(ofDirectory(LONG_FUNCTIONS));
  });
});
