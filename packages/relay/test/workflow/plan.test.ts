import { WORKFLOW_PATTERNS, type WorkflowDefinition, type WorkflowSource } from "@agentos/protocol";
import { describe, expect, test } from "vitest";

import { autoPattern } from "../../src/workflow/patterns/auto-pattern.ts";
import { shapeOf } from "../../src/workflow/patterns/shape-of.ts";
import type { Member } from "../../src/workflow/patterns/shape.ts";
import { compileWorkflow, planWorkflow } from "../../src/workflow/plan/compile-workflow.ts";
import { reportWorkflow } from "../../src/workflow/plan/report-workflow.ts";
import { isAccepted, readVote } from "../../src/workflow/run/tally-votes.ts";
import { listTemplates } from "../../src/workflow/templates/templates.ts";
import { agent, shell, workflowOf } from "./workflow-world.ts";

const ROLES: Readonly<Record<string, readonly (string | undefined)[]>> = {
  supervisor: ["worker", "worker", "supervisor"],
  auction: ["bidder", "auctioneer", "bidder"],
  saga: [undefined, "saga-orchestrator", undefined],
  hierarchical: ["lead", "manager", undefined],
  escalation: ["tier-3", "tier-1", "tier-2"],
  "map-reduce": ["coordinator", "mapper", "reducer"],
  reflection: ["writer", "critic", undefined],
  verifier: [undefined, undefined, "verifier"],
  "red-team": ["attacker", "defender", "judge"],
  "review-loop": ["implementer", "reviewer", "reviewer"],
  swarm: [undefined, undefined, "hive-mind"],
  competitive: [undefined, undefined, "judge"],
  blackboard: [undefined, undefined, "moderator"],
  debate: [undefined, undefined, "moderator"],
  consensus: [undefined, undefined, "coordinator"],
};

/** Hub, edges as `from>to`, and the order of those that have tasks. */
const SHAPES: Readonly<
  Record<(typeof WORKFLOW_PATTERNS)[number], readonly [string | null, string, string]>
> = {
  "fan-out": ["a", "a>b a>c b>a c>a", "b c | a"],
  "hub-spoke": ["a", "a>b a>c b>a c>a", "a | b c"],
  hierarchical: ["a", "a>b b>a b>c c>b", "a | b | c"],
  "scatter-gather": ["a", "a>b a>c b>a c>a", "b c | a"],
  supervisor: ["c", "a>c b>c c>a c>b", "a b | c"],
  auction: ["b", "a>b b>a b>c c>b", "b | a c"],
  saga: ["b", "a>b b>a b>c c>b", "b | a c"],
  pipeline: [null, "a>b b>c", "a | b | c"],
  handoff: [null, "a>b b>c", "a | b | c"],
  cascade: [null, "a>b b>c", "a | b | c"],
  "circuit-breaker": [null, "a>b b>c", "a | b | c"],
  escalation: [null, "a>c b>c c>a c>b", "b | c | a"],
  consensus: ["c", "a>b a>c b>a b>c c>a c>b", "a b | c"],
  debate: ["c", "a>b a>c b>a b>c c>a c>b", "a b | c"],
  mesh: [null, "a>b a>c b>a b>c c>a c>b", "a b c"],
  blackboard: ["c", "a>b a>c b>a b>c c>a c>b", "a b | c"],
  dag: [null, "a>b", "a b c"],
  "map-reduce": ["a", "a>b b>c c>a", "a | b | c"],
  reflection: [null, "a>b b>a b>c c>b", "a c"],
  "red-team": [null, "a>b a>c b>a b>c", "a | b | c"],
  verifier: [null, "a>c b>c c>a c>b", "a b"],
  "review-loop": ["a", "a>b a>c b>a b>c c>a c>b", "a"],
  swarm: ["c", "a>b a>c b>a b>c c>a c>b", "a b | c"],
  competitive: ["c", "a>c b>c c>a c>b", "a b | c"],
};

const members = (...roles: string[]): Member[] =>
  roles.map((role, index) => ({ name: `a${index}`, role }));

describe("patterns", () => {
  test.each(WORKFLOW_PATTERNS)("[workflow.patterns] %s", (pattern) => {
    const roles = ROLES[pattern] ?? ["lead"];
    const three: Member[] = ["a", "b", "c"].map((name, index) => ({ name, role: roles[index] }));
    const shape = shapeOf(pattern, three, [{ from: "a", to: "b" }]);
    const edges = Object.entries(shape.edges)
      .flatMap(([from, to]) => to.map((each) => `${from}>${each}`))
      .toSorted();
    const order = shape.levels.map((level) => level.join(" ")).join(" | ");
    expect([shape.hub, edges.join(" "), order]).toEqual(SHAPES[pattern]);
  });

  test("[workflow.auto] the first that fits", () => {
    const nothing = { members: [], hasDependencies: false, hasConsensus: false, stepAgents: [] };
    expect(autoPattern(nothing)).toBe("fan-out");
    expect(autoPattern({ ...nothing, hasDependencies: true, hasConsensus: true })).toBe("dag");
    expect(autoPattern({ ...nothing, hasConsensus: true })).toBe("consensus");
    expect(autoPattern({ ...nothing, members: members("mapper", "reducer") })).toBe("map-reduce");
    expect(autoPattern({ ...nothing, members: members("tier-1") })).toBe("escalation");
    expect(
      autoPattern({ ...nothing, members: members("implementer", "reviewer", "reviewer") }),
    ).toBe("review-loop");
    expect(autoPattern({ ...nothing, members: members("lead", "x", "x", "x") })).toBe(
      "hierarchical",
    );
    expect(autoPattern({ ...nothing, members: members("lead", "x") })).toBe("hub-spoke");
    expect(autoPattern({ ...nothing, stepAgents: ["a", "b", "c"] })).toBe("pipeline");
  });

  test("[workflow.generated] agents with tasks become steps in the pattern's order", () => {
    const agents = ["a", "b", "c"].map((name) => ({ ...agent(name), task: `work of ${name}` }));
    const { definition } = workflowOf([], { agents, swarm: { pattern: "fan-out" } }).workflow;
    const { workflows: _, ...alone } = definition;
    const { steps } = planWorkflow({ workflow: { definition: alone } });
    expect(steps.map(({ name, dependsOn }) => [name, dependsOn])).toEqual([
      ["b", []],
      ["c", []],
      ["a", ["b", "c"]],
    ]);
    const voted = { ...alone, swarm: { pattern: "review-loop" as const } };
    expect(planWorkflow({ workflow: { definition: voted } }).steps).toMatchObject([
      { name: "a", maxIterations: 3, reviewers: [{ name: "b" }, { name: "c" }] },
    ]);
  });
});

const VOTES = { "+": "approve", "-": "reject", o: "abstain" } as const;
const votes = (text: string) =>
  (["+", "-", "o"] as const).flatMap((mark) =>
    Array.from({ length: text.split(mark).length - 1 }, () => ({ vote: VOTES[mark], weight: 1 })),
  );

const weighed = (...weights: readonly [keyof typeof VOTES, number][]) =>
  weights.map(([mark, weight]) => ({ vote: VOTES[mark], weight }));

describe("votes", () => {
  test("[workflow.votes] by strategy and threshold", () => {
    const majority = { strategy: "majority", threshold: undefined } as const;
    expect(
      ["+", "++-", "+-", "--+", "", "ooo", "+oo"].map((each) => isAccepted(votes(each), majority)),
    ).toEqual([true, true, false, false, false, false, true]);
    const unanimous = { strategy: "unanimous", threshold: undefined } as const;
    expect(["++", "+o", "+-"].map((each) => isAccepted(votes(each), unanimous))).toEqual([
      true,
      true,
      false,
    ]);
    const quorum = { strategy: "quorum", threshold: 0.67 } as const;
    expect(["++o", "+++", "++++o-"].map((each) => isAccepted(votes(each), quorum))).toEqual([
      false,
      true,
      false,
    ]);
    expect(isAccepted(votes("++-"), { strategy: "majority", threshold: 0.7 })).toBe(false);
  });

  test("[workflow.votes] by weight, but where all must agree", () => {
    const majority = { strategy: "majority", threshold: undefined } as const;
    expect(isAccepted(weighed(["+", 3], ["-", 1], ["-", 1]), majority)).toBe(true);
    expect(isAccepted(weighed(["+", 1], ["+", 1], ["-", 2]), majority)).toBe(false);
    const quorum = { strategy: "quorum", threshold: 0.67 } as const;
    expect(isAccepted(weighed(["+", 4], ["o", 1], ["-", 1]), quorum)).toBe(false);
    expect(isAccepted(weighed(["+", 5], ["o", 1], ["-", 1]), quorum)).toBe(true);
    const unanimous = { strategy: "unanimous", threshold: undefined } as const;
    expect(isAccepted(weighed(["+", 9], ["-", 0.1]), unanimous)).toBe(false);
  });

  test("[workflow.votes] the last line with a verdict counts; none abstains", () => {
    expect(readVote("I would REJECT it at first.\n**APPROVE** - fine").vote).toBe("approve");
    expect(readVote("> REJECT: no tests").vote).toBe("reject");
    expect(readVote("Approved.").vote).toBe("approve");
    expect(readVote("I approve of tests, but").vote).toBe("abstain");
    expect(readVote("").vote).toBe("abstain");
  });
});

describe("a dry run", () => {
  test("[workflow.case-41] tells waves, counts and warnings", () => {
    const steps = [
      { name: "one", agent: "a", task: "t {{steps.gone.output}}", timeoutMs: 1 },
      shell("two"),
      shell("three"),
      { ...shell("four", "one", "two"), command: "{{steps.three.output}}" },
    ];
    const report = reportWorkflow(
      compileWorkflow(workflowOf(steps, { swarm: { maxConcurrency: 2 } })),
    );
    expect(report).toMatchObject({
      valid: true,
      errors: [],
      totalSteps: 4,
      maxConcurrency: 2,
      estimatedWaves: 3,
      estimatedPeakConcurrency: 2,
      estimatedTotalAgentSteps: 1,
      waves: [
        {
          wave: 1,
          steps: [{ name: "one", agent: "a", type: "agent" }, { name: "two" }, { name: "three" }],
        },
        { wave: 2, steps: [{ name: "four", dependsOn: ["one", "two"] }] },
      ],
    });
    expect(report.agents[0]).toMatchObject({ name: "a", runtime: "scripted", stepCount: 1 });
    expect(report.warnings).toEqual([
      "step one: {{steps.gone.output}} stays as it is: there is no step gone",
      "step four: it does not depend on three, so {{steps.three.output}} may stay as it is",
      "step two has no time-out",
      "step three has no time-out",
      "step four has no time-out",
      "up to 3 steps could run at once, and 2 may",
    ]);
  });

  test("[workflow.case-41] everything that is wrong is told at once", () => {
    const steps = [shell("one", "gone"), { name: "two", agent: "nobody", task: "{{who}}" }];
    const { errors } = compileWorkflow(workflowOf(steps));
    expect(errors).toHaveLength(2);
    expect(reportWorkflow(compileWorkflow(workflowOf(steps))).valid).toBe(false);
  });
});

const yaml = (text: string): WorkflowSource => ({ workflow: { text } });
const HEAD = 'version: "1.0"\nname: n\nswarm: { pattern: dag }\n';
const STEPS =
  "workflows: [{ name: w, steps: [{ name: s, type: deterministic, command: echo }] }]\n";

const HOSTILE: [string, string, RegExp][] = [
  [
    "a bomb of aliases",
    `a: &a [x,x,x,x,x,x,x,x,x]\n${"bcdefgh"
      .split("")
      .map((n, i) => `${n}: &${n} [${Array(9).fill(`*${"abcdefg"[i]}`).join()}]`)
      .join("\n")}`,
    /anchors/,
  ],
  ["deep brackets", `x: ${"[".repeat(50_000)}`, /64 levels/],
  ["deep dashes", `x:\n${"- ".repeat(50_000)}a`, /64 levels/],
  [
    "deep lines",
    `x:\n${Array.from({ length: 500 }, (_, i) => `${" ".repeat(i + 1)}a:`).join("\n")} 1`,
    /64 levels/,
  ],
  ["very many keys", "a: 1\n".repeat(150_000), /60000 words and marks/],
  ["very many items", `a: [${"1,".repeat(400_000)}]`, /60000 words and marks/],
  ["nothing very often", `a: ${"{}".repeat(300_000)}`, /60000 words and marks/],
  ["__proto__", `${HEAD}${STEPS}__proto__: { polluted: true }`, /__proto__/],
  ["a nested constructor", `${HEAD}${STEPS}state: { constructor: x }`, /constructor/],
  ["a tag", `${HEAD}x: !!js/function "() => 1"`, /expected a YAML document/],
  ["a merge key", `base: &b { name: x }\n${HEAD}<<: *b`, /Unrecognized key/],
  ["a key twice", `${HEAD}name: m`, /unique/],
  ["a key that is a mapping", "? { a: 1 }\n: 2", /keys that are words/],
  ["two documents", `${HEAD}---\n${HEAD}`, /documents/],
  ["too much", "#".repeat(1_000_001), /1000000 characters/],
  ["an open quote", `${HEAD}description: "`, /quote/],
];

describe("a file", () => {
  test("reads YAML and JSON alike", () => {
    const { definition } = workflowOf([shell("x")]).workflow;
    expect(planWorkflow(yaml(JSON.stringify(definition))).steps).toHaveLength(1);
    expect(planWorkflow(yaml(HEAD + STEPS)).steps).toMatchObject([{ name: "s", command: "echo" }]);
  });

  test.each([
    ["an unknown key", `${HEAD}${STEPS}agnets: []`, /Unrecognized key: "agnets"/],
    [
      "an unknown key of a step",
      HEAD + STEPS.replace("command: echo", "command: echo, comand: x"),
      /workflows\.0\.steps\.0.*"comand"/,
    ],
    [
      "an unknown type",
      HEAD + STEPS.replace("deterministic", "magic"),
      /workflows\.0\.steps\.0\.type/,
    ],
    [
      "an unknown verification",
      HEAD + STEPS.replace("command: echo", "command: echo, verification: { type: hope }"),
      /verification/,
    ],
    ["a missing name", 'version: "1.0"\nswarm: { pattern: dag }', /workflow\.name/],
    ["trajectories", `${HEAD}${STEPS}trajectories: { enabled: true }`, /trajectories/],
    ["a list", "- a", /expected a mapping/],
    ["nothing", "", /expected a mapping/],
  ])("[workflow.strict] %s is refused by name", (_, text, reason) => {
    expect(() => planWorkflow(yaml(text))).toThrow(reason);
  });

  test.each(HOSTILE)("[workflow.hostile-yaml] %s is refused", (_, text, reason) => {
    expect(() => planWorkflow(yaml(text))).toThrow(reason);
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });

  test("[workflow.templates] each of the 8 can run, and is only found by its name", () => {
    const templates = listTemplates();
    expect(templates.map(({ name }) => name)).toEqual([
      "bug-fix",
      "code-review",
      "competitive",
      "documentation",
      "feature-dev",
      "refactor",
      "review-loop",
      "security-audit",
    ]);
    for (const { name } of templates) {
      const source = { workflow: { template: name }, vars: { task: "t" } };
      expect(compileWorkflow(source).errors).toEqual([]);
    }
    for (const template of ["../bug-fix", "/etc/passwd", "bug-fix/../x", "BUG-FIX"])
      expect(() => planWorkflow({ workflow: { template } })).toThrow(
        `no workflow template ${template}`,
      );
  });

  test("agents need one kind, and names that differ", () => {
    const agents: WorkflowDefinition["agents"] = [
      { name: "x" },
      { name: "X", cli: "claude", runtime: "api" },
      { name: "y", cli: "gemini" },
    ];
    const { errors, plan } = compileWorkflow(workflowOf([shell("s")], { agents }));
    expect(errors).toEqual([
      "agent x: expected either cli or runtime",
      "agent X is there twice",
      "agent X: expected either cli or runtime",
    ]);
    expect(plan.agents[2]?.runtime).toBe("gemini-cli");
  });
});
