import type {
  AgentRuntime,
  RuntimeCapabilities,
  RuntimeHost,
  RuntimeRequest,
  RuntimeSession,
} from "@agentos/core";
import type { SessionSpec } from "@agentos/protocol";

/** A runtime whose code is loaded when the first session needs it: a sidecar's start is what users wait for. */
export class LazyRuntime implements AgentRuntime {
  readonly name: string;
  readonly capabilities: RuntimeCapabilities;
  readonly #load: () => Promise<AgentRuntime>;
  #loaded: Promise<AgentRuntime> | undefined;

  constructor(name: string, capabilities: RuntimeCapabilities, load: () => Promise<AgentRuntime>) {
    this.name = name;
    this.capabilities = capabilities;
    this.#load = load;
  }

  async check(spec: SessionSpec): Promise<void> {
    await (await this.#runtime()).check(spec);
  }

  async open(
    request: RuntimeRequest,
    host: RuntimeHost,
    options: { signal: AbortSignal },
  ): Promise<RuntimeSession> {
    return await (await this.#runtime()).open(request, host, options);
  }

  #runtime(): Promise<AgentRuntime> {
    this.#loaded ??= this.#load();
    return this.#loaded;
  }
}
