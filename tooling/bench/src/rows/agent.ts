import { AgentOs, AgentStore } from "@agentos/client";
import {
  afterTools,
  FakeModelServer,
  lastUserText,
  otherwise,
  script,
  text,
  toolCall,
  when,
} from "@agentos/fake-model";

import { atMost, type Goal, type Row } from "../row.ts";
import type { Summary } from "../sample.ts";
import { shuffledRun, timed } from "../shuffled-run.ts";

/** A job of these takes seconds. */
const MOST_ROUNDS = 40;
const KEY = "a-made-up-key";
const JOB = "DO THE JOB";

/** One agent's job of two model calls and a command, and how a person would have it done in a shell of the VM. */
interface Measured {
  readonly agent: string;
  readonly provider: string;
  readonly model: string;
  readonly tool: string;
  readonly input: Readonly<Record<string, unknown>>;
  /** In the command line of its process, as AgentOS starts it. */
  readonly process: RegExp;
  /** The command line of the same job, made of that one. */
  readonly byHand: (argv: readonly string[]) => readonly string[];
}

const AGENTS: readonly Measured[] = [
  {
    agent: "claude-code",
    provider: "anthropic",
    model: "claude-sonnet-4-5",
    tool: "Bash",
    input: { command: "true", description: "nothing" },
    process: /claude/,
    byHand: ([program = ""]) => [
      program,
      "-p",
      JOB,
      "--output-format=stream-json",
      "--verbose",
      "--permission-mode=bypassPermissions",
    ],
  },
  {
    agent: "codex",
    provider: "openai",
    model: "gpt-5.1",
    tool: "exec_command",
    input: { cmd: "true" },
    process: /codex/,
    byHand: ([program = "", _appServer, ...settings]) => [
      "sh",
      "-c",
      'mkdir -p ~/by-hand && CODEX_HOME=~/by-hand exec "$@"',
      "sh",
      program,
      "exec",
      "--json",
      "--skip-git-repo-check",
      "--dangerously-bypass-approvals-and-sandbox",
      ...settings,
      JOB,
    ],
  },
];

/** What AgentOS adds to an agent's own job: opening the session, a turn and its end, beside the same program run by hand in the same VM. */
export const agentRow: Row = {
  name: "agent",
  onlyByName: true,
  run: async ({ count }) => {
    const variants: Record<string, Summary> = {};
    const goals: Goal[] = [];
    for (const each of AGENTS) {
      // oxlint-disable-next-line no-await-in-loop -- Beside one another they would measure each other.
      const found = await measureAgent(each, Math.min(count, MOST_ROUNDS));
      Object.assign(variants, found.variants);
      goals.push(atMost(`${each.agent} / by hand`, found.ratio(each.agent, handOf(each)), 1.05));
    }
    return {
      row: "an agent's own job of two model calls and a command",
      unit: "ms",
      variants,
      goals,
    };
  },
};

function handOf({ agent }: Measured): string {
  return `${agent}, by hand`;
}

async function measureAgent(each: Measured, count: number) {
  await new AgentStore().install(each.agent);
  const rules = [
    when(afterTools(each.tool)).reply(text("It is done.")),
    when(lastUserText(new RegExp(JOB))).reply(toolCall(each.tool, each.input)),
    otherwise().reply(text("ok")),
  ];
  await using server = await FakeModelServer.start({ script: script(rules), keys: [KEY] });
  await using os = await AgentOs.create({ driver: "linux" });
  const open = () =>
    os.createSession({
      runtime: each.agent,
      model: each.model,
      provider: { name: each.provider, baseUrl: `${server.url}/v1`, apiKey: KEY },
    });
  // Its way to the model is the other's too, as long as it is open.
  await using first = await open();
  await first.prompt(JOB);
  const { argv, env } = await startedAs(os, each.process);
  const command = [...each.byHand(argv)];
  const byHand = async (): Promise<void> => {
    const { exitCode, stderr } = await os.exec(command, { env, cwd: "/workspace" });
    if (exitCode !== 0)
      throw new Error(`${each.agent} by hand: expected 0, got ${exitCode}: ${stderr}`);
  };
  const byAgentOs = async (): Promise<void> => {
    await using session = await open();
    await session.prompt(JOB);
  };
  const variants = [
    { name: handOf(each), measure: () => timed(byHand) },
    { name: each.agent, measure: () => timed(byAgentOs) },
  ];
  return await shuffledRun(variants, count);
}

/** The command line and environment of an agent's own process. */
async function startedAs(os: AgentOs, name: RegExp) {
  const pid = (await os.processes()).find(({ command }) => name.test(command))?.pid;
  const read = async (file: string): Promise<string[]> => {
    const { stdout } = await os.exec(["cat", `/proc/${pid}/${file}`]);
    return stdout.split("\0").filter((word) => word !== "");
  };
  const variables = (await read("environ")).map((word) => {
    const at = word.indexOf("=");
    return [word.slice(0, at), word.slice(at + 1)] as const;
  });
  return { argv: await read("cmdline"), env: Object.fromEntries(variables) };
}
