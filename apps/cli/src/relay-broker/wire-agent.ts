import type { AgentOptions, Continuity } from "@agentos/client";

import { V1Error } from "./v1-error.ts";
import type { V1Agent, V1Payload } from "./v1-requests.ts";

/** Programs that take `--model`, where only a suffix of `cli` names one. */
const TAKE_MODEL: ReadonlySet<string> = new Set(["claude", "codex", "gemini", "goose", "aider"]);
/** Silence after which a program takes the next message: its client knows no pattern of its screen. */
const QUIET_MS = 400;
/** Names of programs that are called otherwise. */
const PROGRAMS: Readonly<Record<string, string>> = { cursor: "agent" };
/** What a headless provider is to us, and whose models it uses. */
const PROVIDERS: Readonly<Record<string, { runtime: string; provider?: string }>> = {
  claude: { runtime: "claude-code", provider: "anthropic" },
  codex: { runtime: "codex", provider: "openai" },
  gemini: { runtime: "gemini-cli", provider: "gemini" },
  opencode: { runtime: "opencode", provider: "anthropic" },
};

/** An agent as the relay's clients have it. Throws `spawn_failed` or `invalid_request` for what can't be carried out. */
export function wireAgent(
  { agent, initial_task, idle_threshold_secs, continue_from }: V1Payload<"spawn_agent">,
  cwd: string,
  left?: Continuity,
): AgentOptions {
  const session = agent.runtime === "headless" ? headless(agent) : onTerminal(agent);
  const task = initial_task?.trim() === "" ? undefined : initial_task;
  return {
    ...session,
    cwd,
    channels: agent.channels ?? [],
    ...given("task", task),
    ...given("team", agent.team),
    ...given("continueFrom", left ?? continue_from),
    ...given("shadowOf", agent.shadow_of),
    ...shadowMode(agent.shadow_mode),
    ...(idle_threshold_secs == null ? {} : { idleMs: idle_threshold_secs * 1_000 }),
    ...restartPolicy(agent.restart_policy),
  };
}

/** What a program is called with: `claude:opus`, or with arguments of its own. */
function commandOf(agent: V1Agent): { command: string; args: string[] } {
  const [first = "", ...inline] = (agent.cli ?? "").trim().split(/\s+/);
  const [program = "", suffix] = first.includes("/") ? [first] : first.split(":");
  if (program === "") throw new V1Error("spawn_failed", "a pty agent needs a cli");
  const args = [...inline, ...(agent.args ?? [])];
  const model = suffix ?? agent.model;
  const isWanted = model != null && model !== "" && modelIn(args) === undefined;
  const chosen = isWanted && takesModel(program) ? ["--model", model] : [];
  return { command: PROGRAMS[program] ?? program, args: [...chosen, ...args] };
}

/** The model that an agent is started with, as far as it is known; a program that takes none has its own. */
export function startModel(agent: V1Agent): string | null {
  if (agent.runtime === "headless") return agent.model ?? modelIn(agent.args ?? []) ?? null;
  return modelIn(commandOf(agent).args) ?? null;
}

function takesModel(program: string): boolean {
  return TAKE_MODEL.has((program.split("/").at(-1) ?? "").toLowerCase());
}

function onTerminal(agent: V1Agent): AgentOptions {
  return { runtime: "pty", ...commandOf(agent), terminal: { quietMs: QUIET_MS } };
}

function headless(agent: V1Agent): AgentOptions {
  const name = (agent.provider ?? agent.cli ?? "").split(":")[0]?.trim().toLowerCase() ?? "";
  const known = Object.hasOwn(PROVIDERS, name) ? PROVIDERS[name] : undefined;
  if (known === undefined) {
    const names = Object.keys(PROVIDERS).join(", ");
    throw new V1Error("spawn_failed", `expected a provider of ${names}, got ${name || "none"}`);
  }
  const args = withoutModel(agent.args ?? []);
  return {
    runtime: known.runtime,
    ...given("provider", known.provider),
    ...given("model", startModel(agent)),
    ...(args.length === 0 ? {} : { args }),
  };
}

/** The model is the session's own affair; the other arguments are its program's. */
function withoutModel(all: readonly string[]): string[] {
  const at = all.findIndex((each) => each === "--model" || each.startsWith("--model="));
  return at === -1 ? [...all] : all.toSpliced(at, all[at] === "--model" ? 2 : 1);
}

function modelIn(args: readonly string[]): string | undefined {
  const at = args.indexOf("--model");
  const joined = args.find((each) => each.startsWith("--model="));
  return at === -1 ? joined?.slice("--model=".length) : args[at + 1];
}

function restartPolicy(policy: V1Agent["restart_policy"]): Pick<AgentOptions, "restart"> {
  if (policy == null) return {};
  const { enabled, max_restarts, cooldown_ms, max_consecutive_failures } = policy;
  return {
    restart: {
      ...given("enabled", enabled),
      ...given("maxRestarts", max_restarts),
      ...given("cooldownMs", cooldown_ms),
      ...given("maxConsecutiveFailures", max_consecutive_failures),
    },
  };
}

const SHADOW_MODES = [
  "all_messages",
  "explicit_ask",
  "session_end",
  "code_written",
  "review_request",
  "reviewer",
  "auditor",
  "active",
] as const;

function shadowMode(asked: string | null | undefined): Pick<AgentOptions, "shadowMode"> {
  if (asked == null) return {};
  const mode = SHADOW_MODES.find((each) => each === asked.toLowerCase());
  if (mode !== undefined) return { shadowMode: mode };
  const message = `payload.agent.shadow_mode: expected one of ${SHADOW_MODES.join(", ")}, got ${asked}`;
  throw new V1Error("invalid_request", message);
}

/** The field, where there is a value: `null` is none. */
function given<N extends string, V>(
  name: N,
  value: V | null | undefined,
): { [K in N]?: NonNullable<V> } {
  const fields: { [K in N]?: NonNullable<V> } = {};
  if (value != null) fields[name] = value;
  return fields;
}
