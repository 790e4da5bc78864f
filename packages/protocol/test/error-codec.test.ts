import * as fc from "fast-check";
import { expect, test } from "vitest";

import { AgentOsError, isAgentOsError } from "../src/agent-os-error.ts";
import { decodeError, encodeError, WireError } from "../src/error-codec.ts";
import { ERROR_CODES, type ErrorCode, isErrorCode } from "../src/error-codes.ts";
import { ERROR_SAMPLES } from "./error-samples.ts";

const codes = Object.keys(ERROR_CODES).filter(isErrorCode);

test.each(codes)("%s crosses the wire unchanged", (code: ErrorCode) => {
  const error = new AgentOsError(code, `a message of ${code}`, ERROR_SAMPLES[code]);
  const wire = WireError.parse(JSON.parse(JSON.stringify(encodeError(error))));
  const decoded = decodeError(wire);
  expect(isAgentOsError(decoded, code)).toBe(true);
  expect(decoded).toMatchObject({
    name: "AgentOsError",
    code,
    message: error.message,
    details: error.details,
    retryable: ERROR_CODES[code].retryable,
  });
  expect(decoded.errno).toBe(error.errno);
});

test("the stack and the cause stay on their side", () => {
  const error = new AgentOsError("INTERNAL", "x", {}, { cause: new Error("/secret/path") });
  expect(Object.keys(encodeError(error))).toEqual(["code", "message", "details"]);
  expect(JSON.stringify(encodeError(error))).not.toContain("secret");
});

test("whatever is thrown, what crosses the wire is a wire error without its text", () => {
  fc.assert(
    fc.property(fc.anything({ withBigInt: true, withSparseArray: true }), (thrown) => {
      const wire = encodeError(thrown);
      expect(WireError.safeParse(wire).success).toBe(true);
      expect(wire).toMatchObject({ code: "INTERNAL", details: {} });
    }),
  );
});

test.each(["OF_TOMORROW", "__proto__", "constructor", "toString"])(
  "the unknown code %s arrives as INTERNAL with the code as reason",
  (code) => {
    const error = decodeError({ code, message: "new", details: { a: 1 } });
    expect(error).toMatchObject({ code: "INTERNAL", message: "new", details: { reason: code } });
  },
);

test("details that don't fit their code arrive as INTERNAL; more fields are ignored", () => {
  const wrong = decodeError({ code: "NOT_FOUND", message: "m", details: { kind: 1 } });
  expect(wrong).toMatchObject({ code: "INTERNAL", details: { reason: "NOT_FOUND" } });
  const more = { kind: "vm", id: "x", novelty: 1 };
  expect(decodeError({ code: "NOT_FOUND", message: "m", details: more }).details).toEqual({
    kind: "vm",
    id: "x",
  });
});

test("an error of another copy of the package is recognised", () => {
  const foreign = Object.assign(new Error("m"), {
    [Symbol.for("agentos.error")]: true,
    code: "NOT_FOUND",
    details: { kind: "vm", id: "x" },
  });
  expect(isAgentOsError(foreign, "NOT_FOUND")).toBe(true);
  expect(isAgentOsError(foreign, "FENCED")).toBe(false);
  expect(isAgentOsError(new Error("m"))).toBe(false);
  expect(isAgentOsError(null)).toBe(false);
  expect(encodeError(foreign)).toMatchObject({ code: "NOT_FOUND" });
});
