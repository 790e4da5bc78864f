import {
  AgentOsError,
  DEFAULTS,
  type HookPoint,
  isAgentOsError,
  JsonObject,
  type SessionSpec,
} from "@agentos/protocol";

import type { HookAnswer, HookData, HookRunner, HooksRequest } from "../hook-runner.ts";

type Hook = NonNullable<SessionSpec["hooks"]>[number];

/** A session's hooks, asked of the client in the order of their registration. */
export function openHooks(request: HooksRequest): HookRunner {
  return new ClientHooks(request);
}

class ClientHooks implements HookRunner {
  readonly #request: HooksRequest;
  readonly #hooks: readonly Hook[];
  readonly #never = new AbortController().signal;
  #calls = 0;

  constructor(request: HooksRequest) {
    this.#request = request;
    this.#hooks = withoutReplaced(request.spec.hooks ?? []);
  }

  async observe(point: HookPoint, data: HookData, turnId: string | null): Promise<void> {
    for (const hook of this.#at(point)) {
      await this.#call(hook, data, turnId, this.#never).catch((error: unknown) =>
        this.#failed(hook, error),
      );
    }
  }

  async decide(
    point: HookPoint,
    data: HookData,
    turnId: string,
    signal: AbortSignal,
  ): Promise<HookAnswer> {
    const answer: HookAnswer = { kind: "hook" };
    let seen: HookData = data;
    for (const hook of this.#at(point)) {
      const said = await this.#decision(hook, seen, turnId, signal);
      if (said.allow === false) return said;
      if (said.goOn !== undefined) return said;
      if (said.input === undefined) continue;
      answer.input = { ...answer.input, ...said.input };
      seen = { ...data, input: { ...inputOf(data), ...answer.input } };
    }
    return answer;
  }

  async first<T>(
    point: HookPoint,
    data: HookData,
    turnId: string | null,
    accept: (answer: HookAnswer) => T | undefined,
  ): Promise<T | undefined> {
    for (const hook of this.#at(point)) {
      try {
        const accepted = accept(await this.#call(hook, data, turnId, this.#never));
        if (accepted !== undefined) return accepted;
      } catch (error) {
        this.#failed(hook, error);
      }
    }
    return undefined;
  }

  #at(point: HookPoint): readonly Hook[] {
    return this.#hooks.filter((hook) => hook.point === point);
  }

  async #decision(
    hook: Hook,
    data: HookData,
    turnId: string,
    signal: AbortSignal,
  ): Promise<HookAnswer> {
    try {
      return await this.#call(hook, data, turnId, signal);
    } catch (error) {
      signal.throwIfAborted();
      this.#failed(hook, error);
      return { kind: "hook", allow: false, message: `the hook ${nameOf(hook)} failed` };
    }
  }

  async #call(
    hook: Hook,
    data: HookData,
    turnId: string | null,
    signal: AbortSignal,
  ): Promise<HookAnswer> {
    const { sessionId, callbacks } = this.#request;
    this.#calls += 1;
    const callId = `${hook.callback}-${turnId ?? sessionId}-${this.#calls}`.slice(0, 128);
    const plain = JsonObject.parse(JSON.parse(JSON.stringify(data)));
    const ask = { kind: "hook", point: hook.point, data: plain } as const;
    const params = { sessionId, turnId, callback: hook.callback, callId, ask };
    const answer = await callbacks.call(params, { deadlineMs: DEFAULTS.hookMs, signal });
    if (answer.kind === "hook") return answer;
    const reason = `expected a hook's answer, got one of a ${answer.kind}`;
    throw new AgentOsError("CALLBACK_FAILED", reason, { callback: hook.callback, reason });
  }

  #failed(hook: Hook, error: unknown): void {
    const why = isAgentOsError(error) ? error.message : "it threw";
    this.#request.notice(`the hook ${nameOf(hook)} at ${hook.point} failed: ${why}`);
  }
}

/** A hook of the same name at the same point takes the place of the earlier one. */
function withoutReplaced(hooks: readonly Hook[]): Hook[] {
  return hooks.filter(
    ({ point, name }, index) =>
      name === undefined ||
      !hooks.slice(index + 1).some((later) => later.point === point && later.name === name),
  );
}

function nameOf({ name, callback }: Hook): string {
  return name ?? callback;
}

function inputOf(data: HookData): object {
  const input: unknown = "input" in data ? data.input : undefined;
  return typeof input === "object" && input !== null ? input : {};
}
