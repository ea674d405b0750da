import { describe, expect, it } from "vitest";
import { setMembers } from "../../src/domain/json-text.ts";

const HOSTS = { A: "x", B: "y" };

describe("setting members of a JSON text", () => {
  it.each([
    ["replaces and adds", '{"data":{"A":1,"n":2}}', '{"data":{"A":"x","n":2,"B":"y"}}'],
    ["fills an empty object", '{"data":{}}', '{"data":{"A":"x","B":"y"}}'],
    ["replaces a whole object or list", '{"data":{"A":{"B":[1,{"A":2}]},"B":null}}', '{"data":{"A":"x","B":"y"}}'],
    ["replaces each of a repeated key", '{"data":{"A":1,"A":2,"B":3}}', '{"data":{"A":"x","A":"x","B":"y"}}'],
    ["finds an escaped key", '{"d\\u0061ta":{"\\u0041":1}}', '{"d\\u0061ta":{"\\u0041":"x","B":"y"}}'],
    ["leaves the same names elsewhere", '{"A":1,"x":{"data":{"A":1}}}', '{"A":1,"x":{"data":{"A":1}}}'],
    ["does nothing where no object is", '{"data":[{"A":1}]}', '{"data":[{"A":1}]}'],
    ["does nothing in a list", "[1]", "[1]"],
  ])("%s", (_, json, expected) => {
    expect(setMembers(json, ["data"], HOSTS)).toBe(expected);
  });

  it("leaves numbers, repeated keys, odd keys and odd strings as they were written", () => {
    const rest = '"n":1152921504606847001,"f":1.0e3,"k":1,"k":2,"__proto__":{"A":1},"":0,"s":"\\"{A\\\\","2":0,"1":0';
    expect(setMembers(`{ "data" : {${rest}} }`, ["data"], HOSTS)).toBe(`{ "data" : {${rest},"A":"x","B":"y"} }`);
  });
});
