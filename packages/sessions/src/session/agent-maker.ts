import type { RuntimeSession, SessionTool, StoredTrace, StoredTurn } from "@agentos/core";
import { AgentOsError, type ToolInfo } from "@agentos/protocol";

import type { ToolDesk } from "../tool-desk.ts";
import { AgentHost } from "./agent-host.ts";
import type { AgentEnds } from "./agent-ends.ts";
import { announcements } from "./announcements.ts";
import { EarlierCalls } from "./earlier-calls.ts";
import type { SessionDoors } from "./session-doors.ts";
import { DEFAULT_CWD, type SessionParts } from "./session-parts.ts";
import type { TurnRun } from "./turn-run.ts";

/** The turn of an earlier life that an agent goes on with. */
export interface Adoption {
  readonly turn: StoredTurn;
  readonly trace: StoredTrace;
}

export interface MadeAgent {
  readonly session: RuntimeSession;
  readonly host: AgentHost;
}

export interface AgentMakerOptions {
  readonly parts: SessionParts;
  readonly doors: SessionDoors;
  readonly ends: AgentEnds;
  /** The turn that runs now. */
  readonly run: () => TurnRun | undefined;
}

/** Makes a session's agents: each with the same tools, which are opened for the first. */
export class AgentMaker {
  readonly #options: AgentMakerOptions;
  readonly #parts: SessionParts;
  #desk: ToolDesk | undefined;

  constructor(options: AgentMakerOptions) {
    this.#options = options;
    this.#parts = options.parts;
  }

  /** What the agents may call; empty until there was one. */
  get tools(): readonly ToolInfo[] {
    return this.#desk?.tools ?? [];
  }

  /** Rejects as the runtime does, or where its tools can't be opened. */
  async make(
    agentSessionId: string | undefined,
    signal: AbortSignal,
    adoption: Adoption | undefined,
  ): Promise<MadeAgent> {
    const { runtime, record } = this.#parts;
    // As it is now: its model may have been changed.
    const { spec } = record.now;
    const desk = await this.#openDesk(signal);
    const cwd = spec.cwd ?? DEFAULT_CWD;
    const host = new AgentHost({
      parts: this.#parts,
      desk,
      doors: this.#options.doors,
      run: this.#options.run,
      earlier: adoption && this.#earlier(adoption.turn),
    });
    const request = {
      sessionId: record.sessionId,
      spec,
      cwd,
      tools: desk.tools,
      announcements: await announcements(spec, this.#parts.access),
      initialHistory: spec.initialHistory ?? [],
      agentSessionId,
    };
    const session =
      adoption === undefined
        ? await runtime.open(request, host, { signal })
        : await runtime.adopt?.(request, host, adoption.trace, { signal });
    if (session === undefined) throw unadoptable(runtime.name);
    for (const result of adoption?.trace.results ?? []) host.endAgain(result);
    return { session, host };
  }

  /** Ends the tools: no agent uses them any more. */
  close(): void {
    const desk = this.#desk;
    this.#desk = undefined;
    if (desk !== undefined) this.#options.ends.end(desk);
  }

  #earlier({ turnId, seq }: StoredTurn): EarlierCalls {
    const { host, record } = this.#parts;
    return new EarlierCalls(host.store, record.key, turnId, seq);
  }

  async #openDesk(signal: AbortSignal): Promise<ToolDesk> {
    if (this.#desk !== undefined) return this.#desk;
    const { host, record, spec, access, hooks, callbacks, requests, subagents, notice, runtime } =
      this.#parts;
    const { openTools, clock } = host;
    const cwd = spec.cwd ?? DEFAULT_CWD;
    const { sessionId } = record;
    const desk = await openTools(
      {
        sessionId,
        spec,
        cwd,
        vm: access,
        hooks,
        requests,
        callbacks,
        subagents,
        clock,
        builtinTools: runtime.capabilities.builtinTools,
        given: this.#given(),
        notice,
      },
      { signal },
    );
    if (signal.aborted) {
      this.#options.ends.end(desk);
      signal.throwIfAborted();
    }
    this.#desk = desk;
    return desk;
  }

  /** What the sidecar gives this session's agent, where it has a way to it. */
  #given(): readonly SessionTool[] {
    const { host, record, runtime, access, notice } = this.#parts;
    const { user, vmId } = record.now;
    const session = { user, sessionId: record.sessionId, vmId };
    const tools = (host.toolSources ?? []).flatMap((source) => [...source.tools(session)]);
    if (tools.length === 0 || runtime.capabilities.builtinTools) return tools;
    if (host.toolDoors !== undefined && access.handle().network !== undefined) return tools;
    notice(`this agent has no way to ${tools.map(({ name }) => name).join(", ")}`);
    return [];
  }
}

function unadoptable(runtime: string): AgentOsError<"UNSUPPORTED"> {
  const what = `going on with a turn of ${runtime} in another life of the sidecar`;
  return new AgentOsError("UNSUPPORTED", `${what} can't be had`, { what });
}
