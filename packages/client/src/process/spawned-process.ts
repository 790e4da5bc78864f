import {
  AgentOsError,
  CHANNEL,
  type ChannelBytes,
  DEFAULTS,
  FRAME_KIND,
  isAgentOsError,
  type ProcessExit,
  type Signal,
  type SignalScope,
  type StreamFrame,
} from "@agentos/protocol";

import type { Connection } from "../connection/connection.ts";
import type { FrameReceiver } from "../connection/frame-receiver.ts";
import { isLost } from "../connection/lost-connection.ts";
import type { Resumable } from "../connection/resumable.ts";
import type { VmAdmin } from "../leases/vm-admin.ts";
import type { VmStream } from "../leases/vm-stream.ts";
import { parseKill } from "../options.ts";
import { cancelled } from "../race-signal.ts";
import { Acknowledger } from "./acknowledger.ts";
import { InputStream } from "./input-stream.ts";
import { LoggedOutput } from "./logged-output.ts";
import { OutputStream } from "./output-stream.ts";
import { type ProcessEnd, processEnd } from "./process-end.ts";
import type { SpawnOptions } from "./spawn.ts";
import { stdinStream } from "./stdin-stream.ts";
import type { VmProcess } from "./vm-process.ts";

/** What a request for a process says of who asks, and of what came already. */
export interface StartIdentity {
  readonly vmId: string;
  readonly fence: number;
  readonly processId: string;
  readonly stream: number;
  readonly received?: ChannelBytes;
}

/** The request that starts it, or asks again for what is missing of it. */
export type AskForProcess = (
  connection: Connection,
  identity: StartIdentity,
) => Promise<{ pid: number }>;

/** A spawned process, from its request to its release. */
export class SpawnedProcess implements VmProcess, FrameReceiver, Resumable {
  readonly id: string;
  readonly stdin: WritableStream<Uint8Array | string>;
  readonly stdout: ReadableStream<Uint8Array>;
  readonly stderr: ReadableStream<Uint8Array>;
  readonly exited: Promise<ProcessEnd>;
  readonly #admin: VmAdmin;
  readonly #ask: AskForProcess;
  readonly #options: SpawnOptions;
  readonly #stream: VmStream;
  readonly #input: InputStream;
  readonly #out: OutputStream;
  readonly #err: OutputStream;
  readonly #started = Promise.withResolvers<number>();
  readonly #exit = Promise.withResolvers<ProcessEnd>();
  #asked = false;
  #state: "starting" | "running" | "ended" | "released" = "starting";
  #pid = 0;
  #aborted = false;
  #ignoreExit: () => void = () => undefined;

  /** `windowBytes`: how much of each channel is under way. */
  constructor(
    admin: VmAdmin,
    id: string,
    ask: AskForProcess,
    options: SpawnOptions,
    windowBytes: number = DEFAULTS.streamWindowBytes,
  ) {
    this.#admin = admin;
    this.#ask = ask;
    this.#options = options;
    this.id = id;
    this.#stream = admin.openStream(this);
    this.#input = new InputStream(this.#stream, windowBytes);
    this.#out = this.#output(CHANNEL.stdout, windowBytes);
    this.#err = this.#output(CHANNEL.stderr, windowBytes);
    const logged = options.output === "logged" ? new LoggedOutput(admin, id) : undefined;
    this.stdout = logged?.stdout ?? this.#out.readable;
    this.stderr = logged?.stderr ?? this.#err.readable;
    this.stdin = stdinStream(this.#input, options.stdin === "pipe");
    this.exited = this.#exit.promise;
    // Not everybody waits for the end.
    this.exited.catch(() => undefined);
  }

  get pid(): number {
    return this.#pid;
  }

  /** Asks for the process; resolves once it runs. */
  async start(): Promise<void> {
    const { signal, stdin } = this.#options;
    this.#ignoreExit = this.#admin.onExit(this.id, (exit) => this.#ended(exit));
    this.#admin.begin(this);
    if (stdin !== undefined && stdin !== "pipe" && stdin !== "none") {
      // The source's failure ends stdin; the process says what it makes of that.
      this.#input.feed(stdin).catch(() => undefined);
    }
    signal?.addEventListener("abort", this.#abort, { once: true });
    try {
      this.#pid = await this.#started.promise;
    } catch (error) {
      this.#stream.close();
      this.#forget();
      throw error;
    }
    if (this.#state === "starting") this.#state = "running";
    if (this.#aborted) this.#abort();
  }

  /** Asks for the process, or for what is still missing of it. */
  resume(connection: Connection): void {
    const stream = this.#stream.carry(connection);
    const received = this.#asked
      ? { stdout: this.#out.resume(), stderr: this.#err.resume() }
      : undefined;
    this.#asked = true;
    const again = received === undefined ? {} : { received };
    const identity = { ...this.#admin.scope, processId: this.id, stream, ...again };
    this.#ask(connection, identity).then(
      ({ pid }) => this.#started.resolve(pid),
      (error: unknown) => {
        if (!isLost(error, connection)) this.#broken(error);
      },
    );
    if (received !== undefined) this.#input.resend();
  }

  frame({ kind, offset, payload }: StreamFrame): void {
    try {
      if (kind === FRAME_KIND.out) this.#out.accept(offset, payload);
      else if (kind === FRAME_KIND.err) this.#err.accept(offset, payload);
      else if (kind === FRAME_KIND.inAck) this.#input.taken(offset);
      else if (kind === FRAME_KIND.end)
        (payload[0] === CHANNEL.stderr ? this.#err : this.#out).end(offset);
    } catch (error) {
      this.#broken(error);
    }
  }

  lost(reason: AgentOsError): void {
    this.#input.stop();
    this.#started.reject(reason);
    this.#out.fail(reason);
    this.#err.fail(reason);
    this.#exit.reject(reason);
    this.#forget();
    this.#admin.finish(this);
  }

  async kill(
    signal: Signal = "SIGTERM",
    options: { scope?: SignalScope | undefined } = {},
  ): Promise<void> {
    const asked = parseKill({ signal, ...options });
    if (this.#state !== "running") return;
    const { scope, processId } = { scope: asked.scope ?? "group", processId: this.id } as const;
    try {
      await this.#admin.request("process.signal", {
        ...this.#admin.scope,
        processId,
        signal: asked.signal,
        scope,
      });
    } catch (error) {
      // It ended, and was released, while the signal was on its way.
      if (!isAgentOsError(error, "NOT_FOUND")) throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#state === "released" || !this.#stream.isOpen) return;
    await this.kill("SIGKILL", { scope: "session" });
    await this.exited.catch(() => undefined);
    this.#release();
  }

  readonly #abort = (): void => {
    this.#aborted = true;
    if (!this.#asked) return this.lost(cancelled("spawn", this.#options.signal?.reason));
    // Where it can't be told, `exited` says why.
    this.kill("SIGKILL", { scope: "session" }).catch(() => undefined);
  };

  /** It can't be followed any more. */
  #broken(error: unknown): void {
    this.#stream.close();
    this.lost(
      isAgentOsError(error)
        ? error
        : new AgentOsError("INTERNAL", "a frame could not be taken", {}, { cause: error }),
    );
  }

  #output(channel: number, windowBytes: number): OutputStream {
    return new OutputStream(new Acknowledger(this.#stream, channel, windowBytes), {
      onSettled: () => this.#settle(),
    });
  }

  #ended(exit: ProcessExit): void {
    this.#state = "ended";
    this.#forget();
    this.#exit.resolve(processEnd(exit, this.#aborted));
    this.#input.stop();
    // A logged process's bytes are in its log, not on this stream.
    const isLogged = this.#options.output === "logged";
    if (!exit.stdoutOpen || isLogged) this.#out.end(isLogged ? 0 : exit.stdoutBytes);
    if (!exit.stderrOpen || isLogged) this.#err.end(isLogged ? 0 : exit.stderrBytes);
    this.#settle();
  }

  /** Once it has ended and its output is here, nothing needs to be held for it. Logs stay. */
  #settle(): void {
    if (this.#state !== "ended" || !this.#out.isComplete || !this.#err.isComplete) return;
    this.#admin.finish(this);
    if (this.#options.output === "logged") this.#stream.close();
    else this.#release();
  }

  #release(): void {
    if (this.#state === "released") return;
    this.#state = "released";
    this.#admin.finish(this);
    if (!this.#stream.isOpen) return;
    this.#stream.close();
    // Nobody waits for it: what is not released, the end of the lease releases.
    this.#admin
      .request("process.release", { ...this.#admin.scope, processId: this.id })
      .catch(() => undefined);
    this.#out.fail(released(this.id));
    this.#err.fail(released(this.id));
  }

  #forget(): void {
    this.#ignoreExit();
    this.#options.signal?.removeEventListener("abort", this.#abort);
  }
}

function released(id: string): AgentOsError {
  return new AgentOsError("DISPOSED", `process ${id} has been disposed`, { kind: "process", id });
}
