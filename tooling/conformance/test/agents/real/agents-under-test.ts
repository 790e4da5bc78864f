import type { AgentUnderTest } from "./agent-under-test.ts";

/** Every agent that `npm run test:agents` tries. */
export const AGENTS_UNDER_TEST: readonly AgentUnderTest[] = [
  {
    runtime: "claude-code",
    provider: "anthropic",
    path: "/v1",
    model: "claude-sonnet-4-5",
    otherModel: "claude-opus-4-5",
    shell: {
      offered: "Bash",
      named: "Bash",
      input: (command) => ({ command, description: "a command" }),
    },
    kept: "/home/agent/.claude/projects",
    process: /claude/,
    byHand: ([program = ""], prompt) => [
      program,
      "-p",
      prompt,
      "--output-format=stream-json",
      "--verbose",
      "--permission-mode=bypassPermissions",
    ],
    exceptions: {},
  },
  {
    runtime: "codex",
    provider: "openai",
    path: "/v1",
    model: "gpt-5.1",
    otherModel: "gpt-5.2",
    shell: { offered: "exec_command", named: "Bash", input: (cmd) => ({ cmd }) },
    kept: "/home/agent/.agentos/codex/sessions",
    process: /codex/,
    byHand: ([program = "", _appServer, ...settings], prompt) => [
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
      prompt,
    ],
    exceptions: {},
  },
];
