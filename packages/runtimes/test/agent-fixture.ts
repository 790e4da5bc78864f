import type { AgentRuntime, RuntimeSession, RuntimeTurn, RuntimeTurnResult } from "@agentos/core";
import type { Content, SessionSpec } from "@agentos/protocol";
import { onTestFinished } from "vitest";

import type { TestHost } from "./test-host.ts";

interface ProgramAgentOptions {
  readonly runtime: AgentRuntime;
  readonly host: TestHost;
  readonly spec?: Partial<SessionSpec>;
  readonly agentSessionId?: string | undefined;
  readonly announcements?: readonly string[];
}

/** One open agent that is a program, prompted the way the engine does it. */
export class ProgramAgent {
  readonly session: RuntimeSession;
  #turns = 0;

  private constructor(session: RuntimeSession) {
    this.session = session;
  }

  /** Checked and opened; ended with the test. */
  static async open(options: ProgramAgentOptions): Promise<ProgramAgent> {
    const { runtime, host, agentSessionId, announcements = [] } = options;
    const timeouts = { shutdownMs: 2_000 };
    const spec = { sessionId: "session-1", runtime: runtime.name, timeouts, ...options.spec };
    await runtime.check(spec);
    const session = await runtime.open(
      {
        sessionId: spec.sessionId,
        spec,
        cwd: "/workspace",
        tools: host.tools,
        announcements,
        initialHistory: [],
        agentSessionId,
      },
      host,
      { signal: new AbortController().signal },
    );
    onTestFinished(() => session[Symbol.asyncDispose]());
    return new ProgramAgent(session);
  }

  async prompt(content: Content, more: Partial<RuntimeTurn> = {}): Promise<RuntimeTurnResult> {
    this.#turns += 1;
    return await this.session.prompt({
      turnId: `turn-${this.#turns}`,
      content,
      from: "user",
      attempt: 0,
      signal: new AbortController().signal,
      ...more,
    });
  }
}
