import type { RuntimeSession, RuntimeTurn, RuntimeTurnResult } from "@agentos/core";
import type { FormatName } from "@agentos/fake-model";
import type { Content, ModelProvider, SessionSpec } from "@agentos/protocol";

import { ApiRuntime, type ApiRuntimeOptions } from "../../src/index.ts";
import type { TestHost } from "../test-host.ts";

/** A made-up key: what a test looks for where it must not be. */
export const KEY = "canary-key-7d0e41";

export interface TestProvider {
  readonly name: ModelProvider;
  readonly format: FormatName;
  readonly path: string;
  readonly model: string;
}

/** Every provider, with the format that it speaks. */
export const PROVIDERS: readonly TestProvider[] = [
  { name: "anthropic", format: "anthropic", path: "/v1", model: "claude-sonnet-4-5" },
  { name: "openai", format: "openai-responses", path: "/v1", model: "gpt-5" },
  { name: "openai-chat", format: "openai-chat", path: "/v1", model: "gpt-4o" },
  { name: "openai-compatible", format: "openai-chat", path: "/v1", model: "local-1" },
  { name: "gemini", format: "gemini", path: "/v1beta", model: "gemini-2.5-flash" },
];

export const [ANTHROPIC = PROVIDERS[0]] = PROVIDERS;

function specOf(
  url: string,
  provider: TestProvider | undefined,
  more: Partial<SessionSpec> = {},
): SessionSpec {
  const { name = "anthropic", path = "/v1", model = "claude-sonnet-4-5" } = provider ?? {};
  return {
    sessionId: "session-1",
    runtime: "api",
    model,
    provider: { name, baseUrl: `${url}${path}`, apiKey: KEY },
    ...more,
  };
}

interface AgentOptions {
  readonly url: string;
  readonly host: TestHost;
  readonly provider?: TestProvider | undefined;
  readonly spec?: Partial<SessionSpec>;
  readonly runtime?: ApiRuntimeOptions;
  readonly announcements?: readonly string[];
  readonly agentSessionId?: string | undefined;
  readonly tools?: TestHost["tools"];
}

/** One open agent, prompted the way the engine does it. */
export class TestAgent implements AsyncDisposable {
  readonly session: RuntimeSession;
  #turns = 0;

  private constructor(session: RuntimeSession) {
    this.session = session;
  }

  static async open(options: AgentOptions): Promise<TestAgent> {
    const { url, host, provider, announcements = [], agentSessionId } = options;
    const runtime = new ApiRuntime(options.runtime);
    const spec = specOf(url, provider, options.spec);
    await runtime.check(spec);
    const request = {
      sessionId: spec.sessionId,
      spec,
      cwd: "/workspace",
      tools: options.tools ?? host.tools,
      announcements,
      initialHistory: spec.initialHistory ?? [],
      agentSessionId,
    };
    const signal = new AbortController().signal;
    return new TestAgent(await runtime.open(request, host, { signal }));
  }

  async prompt(
    content: Content,
    { signal = new AbortController().signal, ...more }: Partial<RuntimeTurn> = {},
  ): Promise<RuntimeTurnResult> {
    if ((more.attempt ?? 0) === 0 && more.from !== "hook") this.#turns += 1;
    const turnId = `turn-${this.#turns}`;
    return await this.session.prompt({
      turnId,
      content,
      from: "user",
      attempt: 0,
      signal,
      ...more,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.session[Symbol.asyncDispose]();
  }
}
