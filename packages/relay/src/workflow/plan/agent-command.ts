import type { WorkflowAgent } from "@agentos/protocol";

/** A program that does one task and ends. */
export interface AgentCommand {
  readonly command: string;
  /** `{prompt}` is where the task goes. */
  readonly args: readonly string[];
}

const PROMPT = "{prompt}";

/** What programs without a runtime of their own are called with for one task. */
const COMMANDS: Readonly<Partial<Record<NonNullable<WorkflowAgent["cli"]>, AgentCommand>>> = {
  aider: { command: "aider", args: ["--yes-always", "--message", PROMPT] },
  goose: { command: "goose", args: ["run", "--text", PROMPT] },
  droid: { command: "droid", args: ["exec", PROMPT] },
  cursor: { command: "agent", args: ["-p", PROMPT] },
  "cursor-agent": { command: "cursor-agent", args: ["-p", PROMPT] },
  agent: { command: "agent", args: ["-p", PROMPT] },
};

/** How that program is called; undefined where a runtime knows. */
export function agentCommand(
  cli: WorkflowAgent["cli"],
  model: string | undefined,
): AgentCommand | undefined {
  const known = cli === undefined ? undefined : COMMANDS[cli];
  if (known === undefined || model === undefined) return known;
  // All of them take it as an option, before the task or after it.
  return { ...known, args: [...known.args, "--model", model] };
}
