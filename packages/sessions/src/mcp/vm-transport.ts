import { randomUUID } from "node:crypto";

import type { ReadBuffer } from "@modelcontextprotocol/sdk/shared/stdio.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js";
import type { Clock, SessionVm, VmProcess, VmProcessExit } from "@agentos/core";
import { AgentOsError, ByteReader, ByteWriter, DEFAULTS } from "@agentos/protocol";

/** From closing a server's input to ending it. */
const GRACE_MS = 500;

/** Lines of a server's stderr that an error tells. */
const STDERR_LINES = 10;
const STDERR_CHARS = 8 * 1024;

interface VmTransportOptions {
  readonly name: string;
  readonly vm: SessionVm;
  readonly clock: Clock;
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** The SDK's own, which is loaded when it is used. */
  readonly messages: ReadBuffer;
  readonly serialize: (message: JSONRPCMessage) => string;
}

/** Speaks to an MCP server that is a process of the VM, by its standard input and output. */
export class VmTransport implements Transport {
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: (message: JSONRPCMessage) => void;
  readonly #options: VmTransportOptions;
  readonly #input = new ByteWriter();
  readonly #ended = Promise.withResolvers<void>();
  #process: VmProcess | undefined;
  #stderr = "";
  #failure: AgentOsError | undefined;

  constructor(options: VmTransportOptions) {
    this.#options = options;
  }

  /** How the server went, once it is gone. */
  get failure(): AgentOsError | undefined {
    return this.#failure;
  }

  /** Rejects as starting a process does. */
  async start(): Promise<void> {
    const { vm, argv, cwd, env } = this.#options;
    const reader = new ByteReader((bytes, channel) => this.#take(bytes, channel), "process");
    const process = await vm.handle().startProcess(
      {
        processId: `mcp-${randomUUID()}`,
        argv,
        cwd,
        env: { ...vm.environment, ...env },
        stdin: "pipe",
        output: "piped",
        windowBytes: DEFAULTS.streamWindowBytes,
      },
      {
        frame: (bytes) => this.#input.frame(bytes) || reader.frame(bytes),
        closed: (reason) => reader.closed(reason),
      },
    );
    this.#process = process;
    this.#input.attach(process);
    void this.#watch(process, reader);
    reader.attach(process);
  }

  async send(message: JSONRPCMessage): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    this.#input.write(Buffer.from(this.#options.serialize(message)));
  }

  /** Resolves once the process and all of its session are gone. */
  async close(): Promise<void> {
    const process = this.#process;
    if (process === undefined) return;
    this.#input.end();
    const stop = this.#options.clock.after(GRACE_MS, () => process.signal("SIGKILL", "session"));
    await this.#ended.promise;
    stop();
    process.close();
  }

  #take(bytes: Uint8Array, channel: "stdout" | "stderr"): void {
    if (channel === "stderr") {
      this.#stderr = (this.#stderr + Buffer.from(bytes).toString()).slice(-STDERR_CHARS);
      return;
    }
    try {
      this.#options.messages.append(Buffer.from(bytes));
    } catch (error) {
      // An endless line: nothing of what follows can be understood.
      this.onerror?.(error instanceof Error ? error : new Error(String(error)));
      this.#process?.signal("SIGKILL", "session");
      return;
    }
    this.#read();
  }

  #read(): void {
    for (;;) {
      try {
        const message = this.#options.messages.readMessage();
        if (message === null) return;
        this.onmessage?.(message);
      } catch (error) {
        // A line that is no message, as servers print them: the next one may be.
        this.onerror?.(error instanceof Error ? error : new Error(String(error)));
      }
    }
  }

  async #watch(process: VmProcess, reader: ByteReader): Promise<void> {
    let exit: VmProcessExit | undefined;
    try {
      exit = await process.exited;
      reader.until({ stdout: exit.stdoutBytes, stderr: exit.stderrBytes });
      // What it left running in its session holds nothing up.
      process.signal("SIGKILL", "session");
    } catch {
      // It ended with its VM.
    }
    this.#failure = this.#gone(exit);
    this.#ended.resolve();
    this.onclose?.();
  }

  #gone(exit: VmProcessExit | undefined): AgentOsError<"AGENT_EXITED"> {
    const { exitCode = null, signal = null } = exit ?? {};
    const stderr = this.#stderr.trimEnd().split("\n").slice(-STDERR_LINES);
    const how = signal === null ? `exit code ${exitCode ?? "unknown"}` : signal;
    const last = stderr.at(-1) ?? "";
    const message = `the MCP server ${this.#options.name} is gone: ${how}${last === "" ? "" : `: ${last}`}`;
    return new AgentOsError("AGENT_EXITED", message, { exitCode, signal, stderr });
  }
}
