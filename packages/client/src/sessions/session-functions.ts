import {
  AgentOsError,
  type CallbackParams,
  type CallbackResult,
  isAgentOsError,
} from "@agentos/protocol";

import type { SessionFunctions } from "../connection/callback-router.ts";
import type { Connection } from "../connection/connection.ts";
import { isLost } from "../connection/lost-connection.ts";
import type { Resumable } from "../connection/resumable.ts";
import type { VmAdmin } from "../leases/vm-admin.ts";

/** One function of the client, as the sidecar asks it. */
export type SessionFunction = (
  params: CallbackParams,
  signal: AbortSignal,
) => Promise<CallbackResult>;

/** Whose functions they are: a session's, or a workflow run's. */
export type FunctionsOwner = "session" | "workflow";

/** A session's functions by name, told to the sidecar over each connection that holds the lease. */
export class BoundFunctions implements SessionFunctions, Resumable {
  readonly #admin: VmAdmin;
  readonly #sessionId: string;
  readonly #functions: ReadonlyMap<string, SessionFunction>;
  readonly #owner: FunctionsOwner;
  readonly #bound = Promise.withResolvers<void>();
  #unregister: () => void = () => undefined;

  constructor(
    admin: VmAdmin,
    sessionId: string,
    functions: ReadonlyMap<string, SessionFunction>,
    owner: FunctionsOwner = "session",
  ) {
    this.#owner = owner;
    this.#admin = admin;
    this.#sessionId = sessionId;
    this.#functions = functions;
    // Whoever does not wait learns of it by the session's own calls.
    this.#bound.promise.catch(() => undefined);
  }

  /** Tells the sidecar. Resolves once it knows. */
  async bind(): Promise<void> {
    if (this.#functions.size === 0) return;
    this.#admin.begin(this);
    await this.#bound.promise;
  }

  /** The sidecar's next questions have nobody here. */
  release(): void {
    this.#unregister();
    this.#admin.finish(this);
  }

  resume(connection: Connection): void {
    this.#unregister();
    this.#unregister = connection.callbacks.register(this.#sessionId, this);
    this.#tell(connection).then(
      () => this.#bound.resolve(),
      (error: unknown) => {
        if (!isLost(error, connection)) this.#refused(error);
      },
    );
  }

  lost(reason: AgentOsError): void {
    this.#unregister();
    this.#bound.reject(reason);
  }

  async answer(params: CallbackParams, signal: AbortSignal): Promise<CallbackResult> {
    const run = this.#functions.get(params.callback);
    if (run !== undefined) return await run(params, signal);
    const reason = "this program has no such function";
    const { callback } = params;
    throw new AgentOsError("CALLBACK_FAILED", `${callback}: ${reason}`, { callback, reason });
  }

  async #tell(connection: Connection): Promise<void> {
    const callbacks = [...this.#functions.keys()];
    const { scope } = this.#admin;
    const id = this.#sessionId;
    if (this.#owner === "session")
      await connection.request("session.handle", { ...scope, sessionId: id, callbacks });
    else await connection.request("workflow.handle", { ...scope, runId: id, callbacks });
  }

  #refused(error: unknown): void {
    this.release();
    // Closed or deleted meanwhile: nobody will ask.
    if (isAgentOsError(error, "SESSION_CLOSED") || isAgentOsError(error, "NOT_FOUND")) {
      this.#bound.resolve();
    } else this.#bound.reject(error);
  }
}
