import type { AgentOsError, Usage } from "@agentos/protocol";

import type { SessionVm } from "./session-vm.ts";

/** A provider's wire format. */
export type ModelApi = "anthropic" | "openai" | "gemini";

/** Where a session's calls go to, and with which key. It never leaves the sidecar. */
export interface ModelProvider {
  /** `anthropic`, `openai`, `openai-chat`, `gemini` or `openai-compatible`. */
  readonly name: string;
  readonly baseUrl?: string | undefined;
  readonly apiKey?: string | undefined;
}

/** One call of a model, as the gateway saw it pass. */
export interface ModelCall {
  readonly model: string | null;
  readonly usage: Usage;
  readonly hasToolCalls: boolean;
  readonly httpStatus: number;
  /** Of a provider that said no more calls until then. */
  readonly resetAt?: string | undefined;
  readonly error?: AgentOsError | undefined;
}

/** What an agent's model calls may do, and who is told of them. */
export interface ModelRoute {
  readonly sessionId: string;
  readonly vm: SessionVm;
  readonly provider: ModelProvider;
  /** Asked before each call: an error refuses it, and is what the agent is told. */
  mayCall(): AgentOsError | undefined;
  called(call: ModelCall): void;
}

/** How an agent in a VM reaches its model. */
export interface AgentEndpoint extends AsyncDisposable {
  /** As a program in the VM sees it, without a path: `http://127.0.0.1:PORT`. */
  readonly baseUrl: string;
  /** What the agent is given as its key. It names the session to the gateway, and is worth nothing elsewhere. */
  readonly token: string;
}

/** The sidecar's model proxy: puts the key on, counts, caps. */
export interface ModelGateway {
  /** Rejects with `MISSING_KEY`, or `UNSUPPORTED` where the VM's driver has no network. */
  open(route: ModelRoute, options: { signal: AbortSignal }): Promise<AgentEndpoint>;
}
