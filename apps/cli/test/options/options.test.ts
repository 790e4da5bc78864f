import { describe, expect, test } from "vitest";

import { environmentParser } from "../../src/options/parse-environment.ts";
import { parseLocation } from "../../src/options/parse-location.ts";
import { parseName } from "../../src/options/parse-name.ts";
import { parseCount, parsePositive, parseSeconds } from "../../src/options/parse-number.ts";
import { parseSize } from "../../src/options/parse-size.ts";
import { parseVm } from "../../src/options/parse-vm.ts";

describe("sizes", () => {
  test.each([
    ["0", 0],
    ["1048576", 1_048_576],
    ["512m", 536_870_912],
    ["1.5g", 1_610_612_736],
    ["4GiB", 4_294_967_296],
    ["2kb", 2048],
  ])("%s is %i bytes", (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  test.each(["", "m", "-1", "1e9", "12 m", "5x", "1.m", "0x10", "1gg"])("%j is no size", (text) => {
    expect(() => parseSize(text)).toThrow("Expected a size such as 512m or 4g.");
  });
});

describe("numbers", () => {
  test("seconds become whole milliseconds", () => {
    expect([parseSeconds("1.5"), parseSeconds("0.0001")]).toEqual([1500, 1]);
  });

  test.each(["0", "-1", "", "ten", "1e3", "Infinity", "NaN"])(
    "%j is no positive number",
    (text) => {
      expect(() => parsePositive(text)).toThrow("Expected a number above 0.");
    },
  );

  test("what the wire can't carry is refused", () => {
    expect(() => parseSeconds("4294968")).toThrow("Expected at most 4294967 seconds.");
    expect(() => parseCount("1.5")).toThrow("Expected a whole number.");
  });
});

describe("environment", () => {
  const parse = environmentParser({ HERE: "from the host", PATH: "/bin" });

  test("the value is everything after the first =", () => {
    expect(parse("A=b=c", undefined)).toEqual({ A: "b=c" });
    expect(parse("A=", { B: "1" })).toEqual({ A: "", B: "1" });
  });

  test("a bare name takes the value that it has here", () => {
    expect(parse("HERE", undefined)).toEqual({ HERE: "from the host" });
    expect(() => parse("MISSING", undefined)).toThrow("MISSING is not set here");
  });

  test("the last one counts, and __proto__ is a name like any other", () => {
    const twice = parse("A=2", parse("A=1", undefined));
    expect(twice).toEqual({ A: "2" });
    expect(Object.entries(parse("__proto__=x", twice))).toContainEqual(["__proto__", "x"]);
  });

  test("a value needs a name", () => {
    expect(() => parse("=x", undefined)).toThrow("Expected NAME=value.");
  });
});

describe("locations", () => {
  test.each([
    ["dev:/etc/hosts", { kind: "vm", vm: "dev", path: "/etc/hosts" }],
    ["dev:notes.txt", { kind: "vm", vm: "dev", path: "/workspace/notes.txt" }],
    ["dev:", { kind: "vm", vm: "dev", path: "/workspace" }],
    ["dev:src/", { kind: "vm", vm: "dev", path: "/workspace/src/" }],
    ["dev:src/.", { kind: "vm", vm: "dev", path: "/workspace/src/." }],
    ["dev:../x", { kind: "vm", vm: "dev", path: "/x" }],
    ["notes.txt", { kind: "host", path: "notes.txt" }],
    ["./a:b", { kind: "host", path: "./a:b" }],
    ["/tmp/a:b", { kind: "host", path: "/tmp/a:b" }],
  ])("%s", (text, location) => {
    expect(parseLocation(text)).toEqual(location);
  });
});

describe("names", () => {
  test("a VM's name is refused before anything is started", () => {
    expect(parseName("dev-1")).toBe("dev-1");
    for (const name of ["", "-a", "_a", "Dev", "a b", "a/b", "x".repeat(64)]) {
      expect(() => parseName(name)).toThrow("Expected 1 to 63 characters");
    }
  });

  test("a VM is told by its name or id", () => {
    expect(parseVm("AbC_-1")).toBe("AbC_-1");
    for (const vm of ["", "a b", "../x", "a:b"]) expect(() => parseVm(vm)).toThrow("agentos ps");
  });
});
