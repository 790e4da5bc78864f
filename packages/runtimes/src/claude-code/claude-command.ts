import type { AgentEndpoint } from "@agentos/core";
import type { JsonObject, SessionSpec } from "@agentos/protocol";

import { wordsOf } from "../vm-agent/system-words.ts";
import { DEFAULT_MODE } from "./claude-modes.ts";
import { HOST_SERVER, TOOL_HOOK } from "./claude-tools.ts";

/** What needs a person at a screen, or would have the agent act while no turn runs. */
const NOT_HEADLESS = [
  "AskUserQuestion",
  "CronCreate",
  "CronDelete",
  "CronList",
  "EnterPlanMode",
  "ExitPlanMode",
  "ScheduleWakeup",
];
/** A hook waits for people: seconds that no session lives. */
const HOOK_SECONDS = 31_536_000;

export interface ClaudeStart {
  readonly spec: SessionSpec;
  readonly isResumed: boolean;
  /** Claude Code's own id of the conversation. */
  readonly agentSessionId: string;
}

/** The command line after the program. */
export function claudeArguments({ spec, isResumed, agentSessionId }: ClaudeStart): string[] {
  const { model, thinking, capabilities = {} } = spec;
  const { enabledTools, disabledTools = [] } = capabilities;
  const effort = thinking === undefined || thinking === "off" ? undefined : thinking;
  return [
    "-p",
    "--input-format=stream-json",
    "--output-format=stream-json",
    "--verbose",
    "--include-partial-messages",
    "--permission-prompt-tool=stdio",
    `--permission-mode=${spec.mode ?? DEFAULT_MODE}`,
    ...(isResumed ? ["--resume", agentSessionId] : ["--session-id", agentSessionId]),
    ...(model === undefined ? [] : ["--model", model]),
    ...(effort === undefined ? [] : ["--effort", effort]),
    ...(enabledTools === undefined ? [] : ["--tools", enabledTools.join(",")]),
    "--disallowed-tools",
    [...NOT_HEADLESS, ...disabledTools].join(","),
  ];
}

/** Where its model is, and that it talks to nothing else and asks nobody. */
export function claudeEnvironment(
  { env = {}, thinking, maxOutputTokens }: SessionSpec,
  { baseUrl, token }: AgentEndpoint,
): Record<string, string> {
  return {
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
    DISABLE_AUTOUPDATER: "1",
    DISABLE_TELEMETRY: "1",
    DISABLE_ERROR_REPORTING: "1",
    // The session's own policy stands before each tool.
    IS_SANDBOX: "1",
    // Tries are the caller's to count.
    CLAUDE_CODE_MAX_RETRIES: "1",
    // All tools at once: a search for them hides those of the host.
    ENABLE_TOOL_SEARCH: "false",
    ...(thinking === "off" ? { MAX_THINKING_TOKENS: "0" } : {}),
    ...(maxOutputTokens === undefined
      ? {}
      : { CLAUDE_CODE_MAX_OUTPUT_TOKENS: String(maxOutputTokens) }),
    ...env,
    ANTHROPIC_BASE_URL: baseUrl,
    ANTHROPIC_API_KEY: token,
  };
}

/** The first request: hooks, the system's words, our tools. */
export function initializeRequest(
  { systemPrompt }: SessionSpec,
  announcements: readonly string[],
  hasTools: boolean,
): JsonObject & { subtype: string } {
  const { replaced, appended } = wordsOf(systemPrompt);
  const append = [...appended, ...announcements].join("\n\n");
  return {
    subtype: "initialize",
    hooks: {
      PreToolUse: [{ matcher: null, hookCallbackIds: [TOOL_HOOK], timeout: HOOK_SECONDS }],
    },
    ...(hasTools ? { sdkMcpServers: [HOST_SERVER] } : {}),
    ...(replaced === undefined ? {} : { systemPrompt: replaced }),
    ...(append === "" ? {} : { appendSystemPrompt: append }),
  };
}
