import type { AgentOsError, RateLimitWindow, Usage } from "@agentos/protocol";

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
  /** As the provider names it; `null` where it did not. */
  readonly model: string | null;
  readonly usage: Usage;
  readonly hasToolCalls: boolean;
  /** 0: there was no answer. */
  readonly httpStatus: number;
  /** Undefined: it went well. `RATE_LIMITED`, `PROVIDER_REFUSED`, `PROVIDER_FAILED`, or `CANCELLED` by the agent. */
  readonly error?: AgentOsError | undefined;
}

/** What an agent's model calls may do, and who is told of them. */
export interface ModelRoute {
  readonly sessionId: string;
  readonly vm: SessionVm;
  readonly provider: ModelProvider;
  /** Asked before each call: an error refuses it, and is what the agent is told. Otherwise exactly one `called` follows. */
  mayCall(): AgentOsError | undefined;
  /** Something of an answer has passed: the agent waits for good reason. At most once in a second. */
  heard(): void;
  /** Told before the agent can have seen the answer's end. Never throws. */
  called(call: ModelCall): void;
}

/** How an agent in a VM reaches its model. */
export interface AgentEndpoint extends AsyncDisposable {
  readonly api: ModelApi;
  /** As a program in the VM sees it, without a path: `http://127.0.0.1:PORT`. The same in every life of the sidecar. */
  readonly baseUrl: string;
  /** What the agent is given as its key. It names the session to the gateway, and is worth nothing elsewhere. */
  readonly token: string;
  /** How the last model call failed, whatever the agent says of it: one that was refused here, too. Undefined: it did not. */
  readonly failure: AgentOsError | undefined;
  /** As the provider said them last. */
  readonly rateLimits: readonly RateLimitWindow[];
}

/** The sidecar's model proxy: puts the key on, counts, caps. */
export interface ModelGateway {
  /** Rejects with `MISSING_KEY`, `INVALID_ARGUMENT`, or `UNSUPPORTED` where the VM's driver has no network. */
  open(route: ModelRoute, options: { signal: AbortSignal }): Promise<AgentEndpoint>;
}
