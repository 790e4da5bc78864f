import type { AgentRuntime } from "@agentos/core";

import { COMMAND_CAPABILITIES } from "./command/command-capabilities.ts";
import { LazyRuntime } from "./lazy-runtime.ts";
import { PTY_CAPABILITIES } from "./pty/pty-capabilities.ts";

/** The runtimes whose agents are programs in a VM. */
export function agentRuntimes(): AgentRuntime[] {
  return [
    new LazyRuntime("command", COMMAND_CAPABILITIES, async () => {
      const { CommandRuntime } = await import("./command/command-runtime.ts");
      return new CommandRuntime();
    }),
    new LazyRuntime("pty", PTY_CAPABILITIES, async () => {
      const { PtyRuntime } = await import("./pty/pty-runtime.ts");
      return new PtyRuntime();
    }),
  ];
}
