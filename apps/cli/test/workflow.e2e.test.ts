import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { FakeModelServer, otherwise, script, text } from "@agentos/fake-model";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { AgentOsCommand, type CommandEnd } from "./agentos-command.ts";
import { jsonLines } from "./output.ts";

const FILE = `
version: "1.0"
name: release
swarm: { pattern: pipeline }
agents:
  - { name: writer, runtime: anthropic, preset: worker }
workflows:
  - name: notes
    steps:
      - { name: tree, type: deterministic, command: "git init -q . && git -c user.name=n -c user.email=e@e commit -q --allow-empty -m {{version}}" }
      - { name: branch, type: worktree, branch: notes, dependsOn: [tree] }
      - { name: log, type: deterministic, command: "git log --format=%s", cwd: "{{steps.branch.output}}", dependsOn: [branch] }
      - name: write
        agent: writer
        task: "Write notes for {{steps.log.output}}"
        dependsOn: [log]
        verification: { type: output_contains, value: "{{version}}" }
      - { name: keep, use: save, params: { name: notes.md }, dependsOn: [write], verification: { type: file_exists, value: notes.md } }
      - { name: broken, type: deterministic, command: "test -e repaired", dependsOn: [keep] }
`;
const STEPS = `
steps:
  save:
    type: deterministic
    params: [{ name: name, required: true }]
    command: "echo saved > {{name}}"
`;

let agentos: AgentOsCommand;
let server: FakeModelServer;

beforeAll(async () => {
  agentos = await AgentOsCommand.create();
  const model = script([
    otherwise().reply(({ lastUserText }) => text(`Notes: ${lastUserText.split(" ").at(-1)}`)),
  ]);
  server = await FakeModelServer.start({ script: model });
  await writeFile(join(agentos.directory, "release.yaml"), FILE);
  await mkdir(join(agentos.directory, ".agentos"));
  await writeFile(join(agentos.directory, ".agentos/steps.yaml"), STEPS);
});
afterAll(async () => {
  await agentos[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

const workflow = (...args: string[]): Promise<CommandEnd> =>
  agentos.run(["workflow", ...args], { env: { ANTHROPIC_API_KEY: "made-up-key" } });

/** A template's file, with one step. */
function oneStep(description: string, command: string): string {
  const steps = [{ name: "one", type: "deterministic", command }];
  const facts = { version: "1.0", name: "own", description, swarm: { pattern: "dag" } };
  return JSON.stringify({ ...facts, workflows: [{ name: "own", steps }] });
}

describe("agentos workflow", () => {
  test("[workflow.command] says what it would do, and does nothing", async () => {
    const dry = await workflow("run", "release.yaml", "--dry-run", "--var", "version=1.2");
    expect(dry).toMatchObject({ exitCode: 0 });
    expect(dry.stdout).toContain("notes: 6 steps in 6 waves");
    expect(dry.stdout).toContain("  write (writer), after log");
    const wrong = await workflow("run", "release.yaml", "--dry-run");
    expect(wrong.exitCode).toBe(64);
    expect(wrong.stdout).toContain("step tree: nothing says what {{version}} is");
    const missing = await workflow("run", "gone.yaml");
    expect(missing.exitCode).not.toBe(0);
    expect(missing.stderr).toContain("expected a file that can be read, got gone.yaml");
    await expect(workflow("list")).resolves.toMatchObject({ stdout: "no runs\n" });
  });

  test("[workflow.own-templates] finds templates of one's own by name, before those that come along, and nothing by a path", async () => {
    const own = join(agentos.directory, ".agentos/templates");
    await mkdir(own);
    await writeFile(join(own, "bug-fix.yaml"), oneStep("mine", "echo {{task}}"));
    await writeFile(join(own, "broken.json"), "{");
    await writeFile(join(agentos.directory, ".agentos/outside.yaml"), oneStep("outside", "true"));
    const { stdout } = await workflow("template", "--json");
    const { templates }: { templates: { name: string; description: string }[] } =
      JSON.parse(stdout);
    expect(templates.filter(({ name }) => /^(broken|bug-fix)$/.test(name))).toMatchObject([
      { name: "broken", description: expect.stringMatching(/workflow/), agents: [] },
      { name: "bug-fix", description: "mine" },
    ]);
    expect(templates).toHaveLength(9);
    const args = ["--template", "--dry-run", "--var", "task=x"];
    await expect(workflow("run", "bug-fix", ...args)).resolves.toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining("own: 1 steps"),
    });
    for (const path of ["../outside", "../../etc/passwd", ".."])
      await expect(workflow("run", path, ...args)).resolves.toMatchObject({
        exitCode: 125,
        stderr: expect.stringContaining("no workflow template"),
      });
    await expect(workflow("template", "--templates", "nowhere")).resolves.toMatchObject({
      exitCode: 125,
      stderr: expect.stringContaining("expected a folder of templates, got nowhere"),
    });
    await rm(own, { recursive: true });
  });

  test("[workflow.command] runs in a VM, shows what came of it, and resumes what failed", async () => {
    const at = [
      "--var",
      "version=1.2",
      "--base-url",
      `${server.url}/v1`,
      "--vm",
      "work",
      "--id",
      "r1",
    ];
    const first = await workflow("run", "release.yaml", ...at);
    expect(first).toMatchObject({ exitCode: 3 });
    expect(first.stdout).toContain("    Notes: 1.2");
    expect(first.stdout).toContain("✗ step broken failed: exit code 1");
    const shown = await workflow("show", "r1");
    expect(shown.stdout).toMatch(/^notes \(r1\) in VM \S+: failed: step broken failed/);
    expect(shown.stdout).toMatch(/branch +worktree +completed/);
    await expect(workflow("show", "r1", "--step", "log")).resolves.toMatchObject({
      stdout: "1.2\n\n",
    });
    await agentos.run(["exec", "work", "--", "touch", "repaired"]);
    const again = await workflow("resume", "r1", "--json");
    expect(again.exitCode).toBe(0);
    expect(jsonLines(again.stdout).map(({ type, step }) => [type, step])).toEqual([
      ["run_started", undefined],
      ["step_started", "broken"],
      ["step_completed", "broken"],
      ["run_completed", undefined],
    ]);
    const { stdout } = await workflow("list", "--json");
    expect(JSON.parse(stdout)).toMatchObject({ runs: [{ runId: "r1", status: "completed" }] });
  });

  test("[workflow.command] tells templates, pauses and aborts by id", async () => {
    const list = await workflow("template");
    expect(list.stdout).toMatch(/review-loop +review-loop +implementer/);
    const one = await workflow("template", "bug-fix");
    expect(one.stdout).toContain("pattern: hub-spoke");
    const unknown = await workflow("abort", "nothing");
    expect(unknown.exitCode).not.toBe(0);
    expect(unknown.stderr).toContain("there is no workflow run nothing");
    await expect(workflow("abort", "r1")).resolves.toMatchObject({ stdout: "r1 completed\n" });
  });
});
