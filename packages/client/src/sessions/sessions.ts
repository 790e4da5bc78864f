import { randomUUID } from "node:crypto";

import { DEFAULTS, type SessionSummary } from "@agentos/protocol";

import type { VmAdmin } from "../leases/vm-admin.ts";
import { openSession, type Session } from "./session.ts";
import type { SessionPlace } from "./session-place.ts";
import { type CreateSessionOptions, type RequestHandler, wireSession } from "./session-options.ts";

/** Opening a session may take an agent's start, and then the answer. */
const OPEN_MARGIN_MS = 10_000;

/** The sessions of a VM's user. */
export class Sessions {
  readonly #place: SessionPlace;
  readonly #admin: VmAdmin;

  constructor(place: SessionPlace) {
    this.#place = place;
    this.#admin = place.admin;
  }

  /** Opens a session in the VM, or resumes one. Rejects with what the specification lacks, and nothing is left. */
  async create(options: CreateSessionOptions): Promise<Session> {
    const { spec, functions } = wireSession(options, `session-${randomUUID()}`, process.env);
    const startMs = spec.timeouts?.startMs ?? DEFAULTS.agentStartMs;
    const { sessionId } = await this.#admin.request(
      "session.create",
      { ...this.#admin.scope, session: spec },
      { deadlineMs: startMs + OPEN_MARGIN_MS },
    );
    return await openSession(this.#place, sessionId, { functions, onRequest: options.onRequest });
  }

  /** Every session of the user, closed ones included; `here`: those of this VM. */
  async list(options: { here?: boolean } = {}): Promise<SessionSummary[]> {
    const params = options.here === true ? { vmId: this.#admin.vmId } : {};
    return (await this.#admin.request("session.list", params)).sessions;
  }

  /** A session that is open in this VM, to be watched and prompted. Rejects with `NOT_FOUND`. */
  async get(id: string, options: { onRequest?: RequestHandler } = {}): Promise<Session> {
    await this.#admin.request("session.info", { sessionId: id });
    return await openSession(this.#place, id, { functions: new Map(), ...options });
  }

  /**
   * Goes on from a session of another VM in this one, which should be a fork of it: the agent's files
   * come with the VM, its conversation with the session.
   */
  async fork(session: Session): Promise<Session> {
    const { vmId, fence } = this.#admin.scope;
    const into = { vmId, fence, sessionId: `session-${randomUUID()}` };
    const { sessionId } = await session.forkInto(into);
    return await openSession(this.#place, sessionId, { functions: new Map() });
  }

  /** Ends a session, open or closed, and forgets it. */
  async delete(id: string): Promise<void> {
    await this.#admin.request("session.delete", { sessionId: id });
  }
}
