import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

import type {
  AgentRuntime,
  RuntimeCapabilities,
  RuntimeHost,
  RuntimeRequest,
  RuntimeSession,
} from "@agentos/core";
import {
  AgentOsError,
  type ChatMessage,
  isModelProvider,
  type SessionSpec,
} from "@agentos/protocol";

import { MODEL_PRICES, type ModelPrice } from "../prices/model-prices.ts";
import { FINISH_TOOL } from "./agent-turn.ts";
import type { ApiLimits } from "./api-limits.ts";
import { ApiSession } from "./api-session.ts";
import { DEFAULT_MODELS } from "./default-models.ts";
import { fairFetch } from "./fair-fetch.ts";
import { FairShare } from "./fair-share.ts";
import { KeyRedactor } from "./key-redactor.ts";
import { MessageLog } from "./message-log.ts";
import { providerAccess } from "./provider-access.ts";
import { loadProvider, providerModel } from "./provider-model.ts";
import { readContent } from "./read-content.ts";
import type { StoredMessage } from "./stored-message.ts";
import { systemText } from "./system-text.ts";
import { ToolNames } from "./tool-names.ts";

export interface ApiRuntimeOptions extends Partial<ApiLimits> {
  /** What tokens cost. Default: the list prices of this build. */
  readonly prices?: readonly ModelPrice[];
}

/** The agent is a model behind an API, and its loop is in the sidecar. */
export class ApiRuntime implements AgentRuntime {
  readonly name = "api";
  readonly capabilities: RuntimeCapabilities = {
    transport: "in_process",
    permissions: "ask",
    hostTools: ["direct"],
    builtinTools: true,
    resume: true,
    fork: true,
    deltas: true,
    usage: true,
    outputSchema: true,
    subagents: true,
    compaction: true,
    adoption: false,
    modes: false,
  };
  readonly #prices: readonly ModelPrice[];
  readonly #limits: ApiLimits;
  /** All sessions of the sidecar take turns. */
  readonly #share = new FairShare();
  readonly #fetch = fairFetch(this.#share);

  /** `badSteps` 3, `emptySteps` 500 by default; 0 disables. */
  constructor({ prices = MODEL_PRICES, badSteps = 3, emptySteps = 500 }: ApiRuntimeOptions = {}) {
    this.#prices = prices;
    this.#limits = { badSteps, emptySteps };
  }

  defaultModel({ provider }: SessionSpec): string | undefined {
    const name = provider?.name;
    return name === undefined || !isModelProvider(name) ? undefined : DEFAULT_MODELS[name];
  }

  async check(spec: SessionSpec): Promise<void> {
    const { provider } = providerAccess(spec);
    await loadProvider(provider);
  }

  async open(
    request: RuntimeRequest,
    host: RuntimeHost,
    { signal }: { signal: AbortSignal },
  ): Promise<RuntimeSession> {
    const { spec, tools, announcements } = request;
    const access = providerAccess(spec);
    const model = await providerModel(access, this.#fetch);
    signal.throwIfAborted();
    return new ApiSession({
      spec,
      host,
      access,
      model,
      system: systemText(spec, announcements, FINISH_TOOL),
      names: new ToolNames(tools),
      log: openLog(request, host),
      redactor: new KeyRedactor(access.apiKey),
      prices: this.#prices,
      limits: this.#limits,
      share: this.#share,
      wait: pause,
      warned: new Set(),
    });
  }
}

/** The conversation that was kept, or how a new one begins. Throws `RESUME_LOST`. */
function openLog(
  { agentSessionId, sessionId, initialHistory }: RuntimeRequest,
  host: RuntimeHost,
): MessageLog | (() => Promise<MessageLog>) {
  if (agentSessionId === undefined) {
    return async () => {
      const history = await Promise.all(initialHistory.map((each) => historyMessage(host, each)));
      return MessageLog.begin(host.state, `api-${randomUUID()}`, history);
    };
  }
  const log = MessageLog.resume(host.state, agentSessionId);
  if (log !== undefined) return log;
  const reason = `its messages are not those of ${agentSessionId}`;
  const message = `session ${sessionId} can't be resumed: ${reason}`;
  throw new AgentOsError("RESUME_LOST", message, { sessionId, reason });
}

async function historyMessage(
  { vm }: RuntimeHost,
  { role, content }: ChatMessage,
): Promise<StoredMessage> {
  const parts = await readContent(vm, content);
  if (role === "user") return { role, turnId: null, from: "history", content: parts };
  const texts = parts.flatMap((part) => (part.type === "text" ? [part] : []));
  return { role, parts: texts, contextTokens: null };
}

/** Resolves at the abort too: who waits looks at the signal. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}
