import type { PolicyRule } from "@agentos/protocol";
import { expect, test } from "vitest";

import { judge } from "../../src/policies/policy-judge.ts";
import { callOf } from "../fixture.ts";

const never = (): Promise<boolean> => Promise.reject(new Error("no predicate is asked"));

const allow = (tool: string): PolicyRule => ({ tool, decision: "allow" });
const deny = (tool: string): PolicyRule => ({ tool, decision: "deny" });
const ask = (tool: string): PolicyRule => ({ tool, decision: "ask" });

test.each<[string, PolicyRule[], string, string | undefined, string | undefined]>([
  ["exact before all", [deny("*"), allow("calc")], "calc", undefined, "allow"],
  ["exact before its server", [deny("math/*"), allow("math/calc")], "calc", "math", "allow"],
  ["a server before all", [allow("*"), deny("math/*")], "calc", "math", "deny"],
  ["deny before ask", [ask("calc"), deny("calc")], "calc", undefined, "deny"],
  ["ask before allow", [allow("calc"), ask("calc")], "calc", undefined, "ask"],
  ["deny before allow, of all", [allow("*"), deny("*")], "calc", undefined, "deny"],
  ["nothing that matches", [allow("other")], "calc", undefined, undefined],
])("[session.case-49] %s", async (_, rules, name, server, decision) => {
  expect((await judge(rules, callOf(name, {}, server), never))?.decision).toBe(decision);
  expect((await judge(rules.toReversed(), callOf(name, {}, server), never))?.decision).toBe(
    decision,
  );
});

test("[session.case-49] of two rules that are equal the first one holds", async () => {
  const rules: PolicyRule[] = [
    { tool: "calc", decision: "deny", reason: "first" },
    { tool: "calc", decision: "deny", reason: "second" },
  ];
  expect(await judge(rules, callOf("calc", {}), never)).toMatchObject({ reason: "first" });
});

test("[session.case-50] a predicate that is false takes the next rule", async () => {
  const rules: PolicyRule[] = [
    { tool: "calc", decision: "allow", when: "p" },
    { tool: "*", decision: "ask" },
  ];
  const judged = await judge(rules, callOf("calc", { a: 1 }), (name, call) => {
    expect([name, call.input]).toStrictEqual(["p", { a: 1 }]);
    return Promise.resolve(false);
  });
  expect(judged?.decision).toBe("ask");
});

test.each(["allow", "ask", "deny"] as const)(
  "[session.case-50] a predicate that throws denies, also of a rule that says %s",
  async (decision) => {
    const rules: PolicyRule[] = [{ tool: "calc", decision, when: "p" }, allow("*")];
    expect(await judge(rules, callOf("calc", {}), never)).toMatchObject({ decision: "deny" });
  },
);

test("[session.case-52] a bare name never means an MCP tool of that name", async () => {
  expect(await judge([allow("calc")], callOf("calc", {}, "math"), never)).toBeUndefined();
  expect(await judge([deny("math/calc")], callOf("calc", {}), never)).toBeUndefined();
});
