import type { ClientCallbacks } from "@agentos/core";
import type { CallbackResult, HookPoint, SessionSpec } from "@agentos/protocol";

export type HookAnswer = Extract<CallbackResult, { kind: "hook" }>;

/** What a hook is told: plain data, which goes over the wire as JSON. */
export type HookData = object;

/** A session's hooks, in the order of their registration. */
export interface HookRunner {
  /** All of them, one after another. A failing one is told as a notice, and the rest run. */
  observe(point: HookPoint, data: HookData, turnId: string | null): Promise<void>;
  /**
   * Until the first that denies. What one puts in place of the input is what the next one sees.
   * One that throws, or does not answer in time, denies. Rejects only with `CANCELLED`.
   */
  decide(
    point: HookPoint,
    data: HookData,
    turnId: string,
    signal: AbortSignal,
  ): Promise<HookAnswer>;
  /** The first answer that `accept` takes. A failing one counts as none. */
  first<T>(
    point: HookPoint,
    data: HookData,
    turnId: string | null,
    accept: (answer: HookAnswer) => T | undefined,
  ): Promise<T | undefined>;
}

/** What a session's hooks are made from. */
export interface HooksRequest {
  readonly sessionId: string;
  readonly spec: SessionSpec;
  readonly callbacks: ClientCallbacks;
  /** Tells a failure that the session survives. */
  readonly notice: (message: string) => void;
}

export type OpenHooks = (request: HooksRequest) => HookRunner;
