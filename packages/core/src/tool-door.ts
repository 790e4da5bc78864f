import type { ToolCall, ToolInfo, ToolResult } from "@agentos/protocol";

import type { SessionVm } from "./session-vm.ts";

/** A session's tools, as its door serves them. */
export interface ToolRoute {
  readonly sessionId: string;
  readonly vm: SessionVm;
  readonly tools: readonly ToolInfo[];
  /** Hooks, policy, permission, the tool itself, audit. A failure is a result; rejects only with `CANCELLED`. */
  call(call: ToolCall, signal: AbortSignal): Promise<ToolResult>;
}

/** A session's tools, for agents that run in the VM. */
export interface ToolDoor extends AsyncDisposable {
  /** Speaks MCP on stdin and stdout. */
  readonly mcp: { readonly command: string; readonly args: readonly string[] };
  /** Has to be in the environment of either. */
  readonly env: Readonly<Record<string, string>>;
  /** What a person or an agent types in a shell of the VM: `agentos-tool`. */
  readonly command: string;
}

/** Where programs in VMs reach their sessions' tools. */
export interface ToolDoors {
  /** Rejects with `UNSUPPORTED` where the VM's driver has no network. */
  open(route: ToolRoute, options: { signal: AbortSignal }): Promise<ToolDoor>;
}
