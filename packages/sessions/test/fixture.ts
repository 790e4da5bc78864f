import type { ClientCallbacks, SessionVm } from "@agentos/core";
import {
  AgentOsError,
  type CallbackParams,
  type CallbackResult,
  type PendingRequest,
  type RequestAnswer,
  type SessionSpec,
  type ToolCall,
} from "@agentos/protocol";
import {
  FakeClock,
  FakeDriver,
  type FakeDriverOptions,
  fakeSessionVm,
  type FakeVm,
} from "@agentos/testing";

import { openHooks, type RequestBook, type ToolDeskRequest, type ToolTurn } from "../src/index.ts";

export type Answer = (params: CallbackParams) => Promise<CallbackResult> | CallbackResult;

/** The functions of a client, by name; one that is not there fails as an unknown callback does. */
export function callbacksOf(functions: Readonly<Record<string, Answer>>): ClientCallbacks {
  return {
    call: async (params, { signal }) => {
      signal.throwIfAborted();
      const answer = functions[params.callback];
      if (answer === undefined) {
        throw new AgentOsError("CALLBACK_FAILED", `nobody has ${params.callback}`, {
          callback: params.callback,
          reason: "nobody has it",
        });
      }
      return await answer(params);
    },
  };
}

/** A fake VM with a folder for work and one outside of it. */
export async function fakeVm(options: FakeDriverOptions = {}): Promise<FakeVm> {
  const driver = new FakeDriver(options);
  await driver.create(
    {
      vmId: "vm-1",
      image: "host",
      mounts: [],
      limits: {},
      requiredLimits: [],
      network: { egress: "none" },
      security: "standard",
    },
    { signal: new AbortController().signal },
  );
  return driver.vm("vm-1");
}

interface ContextOptions {
  readonly vm: FakeVm;
  readonly spec?: Partial<SessionSpec>;
  readonly functions?: Readonly<Record<string, Answer>>;
  readonly hostMounts?: SessionVm["hostMounts"];
  /** Default true. */
  readonly builtinTools?: boolean;
  /** Answers permission requests and questions. */
  readonly answer?: (request: PendingRequest) => RequestAnswer | Promise<RequestAnswer>;
}

export interface TestContext extends ToolDeskRequest {
  readonly notices: string[];
  readonly requested: PendingRequest[];
}

/** What the tools of a session work with, the user and the client played by the test. */
export function contextOf(options: ContextOptions): TestContext {
  const { vm, functions = {}, hostMounts } = options;
  const spec: SessionSpec = { sessionId: "session-1", runtime: "scripted", ...options.spec };
  const callbacks = callbacksOf(functions);
  const notices: string[] = [];
  const notice = (message: string): void => void notices.push(message);
  const requested: PendingRequest[] = [];
  const requests: RequestBook = {
    open: async (request) => {
      requested.push(request);
      if (options.answer === undefined) throw new Error("nobody answers in this test");
      return await options.answer(request);
    },
  };
  return {
    sessionId: spec.sessionId,
    spec,
    cwd: "/workspace",
    vm: fakeSessionVm(vm, hostMounts === undefined ? {} : { hostMounts }),
    clock: new FakeClock(),
    callbacks,
    hooks: openHooks({ sessionId: spec.sessionId, spec, callbacks, notice }),
    requests,
    subagents: undefined,
    builtinTools: options.builtinTools ?? true,
    given: [],
    notice,
    notices,
    requested,
  };
}

export function turnOf(overrides: Partial<ToolTurn> = {}): ToolTurn {
  return {
    turnId: "turn-1",
    fence: 1,
    signal: new AbortController().signal,
    output: () => undefined,
    ...overrides,
  };
}

let calls = 0;

export function callOf(name: string, input: ToolCall["input"], server?: string): ToolCall {
  calls += 1;
  return { callId: `call-${calls}`, name, input, ...(server === undefined ? {} : { server }) };
}

/** The text of a result, joined. */
export function textOf(result: { content: readonly { type: string; text?: string }[] }): string {
  return result.content.map(({ text = "" }) => text).join("");
}
