import type {
  AgentRuntime,
  AgentTrace,
  RuntimeCapabilities,
  RuntimeHost,
  RuntimeRequest,
  RuntimeSession,
} from "@agentos/core";
import { AgentOsError, type SessionSpec } from "@agentos/protocol";

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

  async adopt(
    request: RuntimeRequest,
    host: RuntimeHost,
    trace: AgentTrace,
    options: { signal: AbortSignal },
  ): Promise<RuntimeSession> {
    const runtime = await this.#runtime();
    if (runtime.adopt !== undefined) return await runtime.adopt(request, host, trace, options);
    const what = `taking over an agent of ${this.name}`;
    throw new AgentOsError("UNSUPPORTED", `${what} can't be had`, { what });
  }

  #runtime(): Promise<AgentRuntime> {
    this.#loaded ??= this.#load();
    return this.#loaded;
  }
}
