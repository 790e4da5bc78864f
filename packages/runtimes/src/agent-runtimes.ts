import type { AgentRuntime } from "@agentos/core";

import type { AcpAgent } from "./acp/acp-agent.ts";
import { ACP_CAPABILITIES } from "./acp/acp-capabilities.ts";
import { CLAUDE_CAPABILITIES } from "./claude-code/claude-capabilities.ts";
import { CODEX_CAPABILITIES } from "./codex/codex-capabilities.ts";
import { COMMAND_CAPABILITIES } from "./command/command-capabilities.ts";
import { LazyRuntime } from "./lazy-runtime.ts";
import { PI_CAPABILITIES } from "./pi/pi-capabilities.ts";
import { PTY_CAPABILITIES } from "./pty/pty-capabilities.ts";

/** The runtimes whose agents are programs in a VM. */
export function agentRuntimes(): AgentRuntime[] {
  return [
    new LazyRuntime("claude-code", CLAUDE_CAPABILITIES, async () => {
      const { ClaudeRuntime } = await import("./claude-code/claude-runtime.ts");
      return new ClaudeRuntime();
    }),
    new LazyRuntime("codex", CODEX_CAPABILITIES, async () => {
      const { CodexRuntime } = await import("./codex/codex-runtime.ts");
      return new CodexRuntime();
    }),
    acpRuntime("acp", async () => (await import("./acp/any-acp-agent.ts")).ANY_ACP_AGENT),
    acpRuntime(
      "gemini-cli",
      async () => (await import("./gemini-cli/gemini-agent.ts")).GEMINI_AGENT,
    ),
    acpRuntime(
      "opencode",
      async () => (await import("./opencode/opencode-agent.ts")).OPENCODE_AGENT,
    ),
    new LazyRuntime("command", COMMAND_CAPABILITIES, async () => {
      const { CommandRuntime } = await import("./command/command-runtime.ts");
      return new CommandRuntime();
    }),
    new LazyRuntime("pi", PI_CAPABILITIES, async () => {
      const { PiRuntime } = await import("./pi/pi-runtime.ts");
      return new PiRuntime();
    }),
    new LazyRuntime("pty", PTY_CAPABILITIES, async () => {
      const { PtyRuntime } = await import("./pty/pty-runtime.ts");
      return new PtyRuntime();
    }),
  ];
}

function acpRuntime(name: string, agent: () => Promise<AcpAgent>): AgentRuntime {
  return new LazyRuntime(name, ACP_CAPABILITIES, async () => {
    const { AcpRuntime } = await import("./acp/acp-runtime.ts");
    return new AcpRuntime(await agent());
  });
}
