import type { AgentOsError } from "@agentos/protocol";
import {
  isAgentOsError,
  type ProcessExit,
  type Signal,
  type SignalScope,
  type TerminalInfo,
  type TerminalSize,
} from "@agentos/protocol";

import type { Connection } from "../connection/connection.ts";
import { isLost } from "../connection/lost-connection.ts";
import type { Resumable } from "../connection/resumable.ts";
import type { VmAdmin } from "../leases/vm-admin.ts";
import { parseKill } from "../options.ts";
import { type ProcessEnd, processEnd } from "../process/process-end.ts";
import { screenText } from "./screen-text.ts";
import { closedTerminal, hungUp } from "./terminal-failure.ts";
import { TerminalInput } from "./terminal-input.ts";
import { lookAt } from "./terminal-look.ts";
import { parseTerminalSize } from "./terminal-options.ts";
import { TerminalOutput } from "./terminal-output.ts";
import type { Terminal } from "./terminal.ts";

/** Asks for the terminal: opens it, or finds it. Asked again, it does the same. */
export type TerminalRequest = (connection: Connection) => Promise<TerminalInfo>;

/** A terminal, from its request until this program lets go of it. */
export class VmTerminal implements Terminal, Resumable {
  readonly id: string;
  readonly exited: Promise<ProcessEnd>;
  readonly #admin: VmAdmin;
  readonly #request: TerminalRequest;
  readonly #isOwn: boolean;
  readonly #input: TerminalInput;
  readonly #output: TerminalOutput;
  readonly #found = Promise.withResolvers<TerminalInfo>();
  readonly #exit = Promise.withResolvers<ProcessEnd>();
  #pid = 0;
  #aborted = false;
  #state: "starting" | "running" | "ended" | "left" = "starting";
  #ignoreExit: () => void = () => undefined;

  /** `isOwn`: disposing ends it. */
  constructor(admin: VmAdmin, id: string, request: TerminalRequest, isOwn: boolean) {
    this.id = id;
    this.#admin = admin;
    this.#request = request;
    this.#isOwn = isOwn;
    this.#input = new TerminalInput(admin, id);
    this.#output = new TerminalOutput(admin, id);
    this.exited = this.#exit.promise;
    // Not everybody waits for the end.
    this.exited.catch(() => undefined);
  }

  get pid(): number {
    return this.#pid;
  }

  get output(): ReadableStream<Uint8Array> {
    return this.#output.readable;
  }

  get skippedBytes(): number {
    return this.#output.skippedBytes;
  }

  get liveFrom(): Promise<number> {
    return this.#output.liveFrom;
  }

  /** Resolves once it is there. */
  async start(signal?: AbortSignal): Promise<void> {
    this.#ignoreExit = this.#admin.onExit(this.id, (exit) => this.#ended(exit));
    this.#admin.begin(this);
    signal?.addEventListener("abort", this.#abort, { once: true });
    void this.exited
      .finally(() => signal?.removeEventListener("abort", this.#abort))
      .catch(() => undefined);
    const { pid } = await this.#found.promise;
    this.#pid = pid;
    if (this.#state === "starting") this.#state = "running";
    if (signal?.aborted === true) this.#abort();
  }

  /** Also tells of an end that was told to a connection that was lost. */
  resume(connection: Connection): void {
    this.#request(connection).then(
      (info) => this.#told(info),
      (error: unknown) => {
        if (!isLost(error, connection)) this.#gone(error);
      },
    );
  }

  lost(reason: AgentOsError): void {
    this.#gone(reason);
  }

  async write(data: string | Uint8Array): Promise<void> {
    if (this.#state === "ended") throw hungUp();
    await this.#input.write(data);
  }

  async resize(size: TerminalSize): Promise<void> {
    const { cols, rows } = parseTerminalSize(size);
    const terminal = { ...this.#admin.scope, terminalId: this.id };
    await this.#admin.request("terminal.resize", { ...terminal, cols, rows });
  }

  async snapshot(): Promise<string> {
    return await screenText(await lookAt(this.#admin, this.id));
  }

  async kill(
    signal: Signal = "SIGHUP",
    options: { scope?: SignalScope | undefined } = {},
  ): Promise<void> {
    const asked = parseKill({ signal, ...options });
    if (this.#state !== "running") return;
    const process = { ...this.#admin.scope, processId: this.id };
    try {
      const scope = asked.scope ?? "session";
      await this.#admin.request("process.signal", { ...process, signal: asked.signal, scope });
    } catch (error) {
      // It ended, and was closed, while the signal was on its way.
      if (!isAgentOsError(error, "NOT_FOUND")) throw error;
    }
  }

  detach(): void {
    this.#leave("was detached from");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#state === "left") return;
    if (this.#isOwn) {
      await this.kill("SIGKILL");
      await this.exited.catch(() => undefined);
    }
    const isOver = this.#state === "ended";
    this.#leave("has been disposed");
    // What it kept is of no use to anyone any more; what is not released, the VM's end releases.
    if (isOver) await this.#release().catch(() => undefined);
  }

  readonly #abort = (): void => {
    this.#aborted = true;
    // Where it can't be told, `exited` says why.
    this.kill("SIGKILL").catch(() => undefined);
  };

  async #release(): Promise<void> {
    await this.#admin.request("process.release", { ...this.#admin.scope, processId: this.id });
  }

  #told(info: TerminalInfo): void {
    this.#found.resolve(info);
    if (info.exit !== undefined) this.#ended(info.exit);
  }

  #ended(exit: ProcessExit): void {
    if (this.#state === "left" || this.#state === "ended") return;
    this.#state = "ended";
    this.#exit.resolve(processEnd(exit, this.#aborted));
    this.#input.fail(hungUp());
    this.#output.ended(exit);
    this.#unfollow();
  }

  /** It can't be followed any more. */
  #gone(reason: unknown): void {
    this.#found.reject(reason);
    this.#exit.reject(reason);
    this.#input.fail(reason);
    this.#output.fail(reason);
    this.#unfollow();
  }

  #leave(how: string): void {
    if (this.#state === "left") return;
    this.#state = "left";
    this.#gone(closedTerminal(this.id, how));
  }

  #unfollow(): void {
    this.#ignoreExit();
    this.#admin.finish(this);
  }
}
