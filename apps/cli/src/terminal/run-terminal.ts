import type { Terminal } from "@agentos/client";

import { exitCodeOf, signalExitCode } from "../exit-code.ts";
import type { EndSignal, Io } from "../io.ts";
import { write } from "../output/write.ts";
import { DetachKeys } from "./detach-keys.ts";
import { UserTerminal } from "./user-terminal.ts";
import { WithoutClipboard } from "./without-clipboard.ts";
import { withoutQueries } from "./without-queries.ts";

/** How the person and the terminal parted. */
export type Parting =
  | { readonly how: "exited"; readonly exitCode: number }
  | { readonly how: "detached" }
  | { readonly how: "signaled"; readonly exitCode: number };

const END_SIGNALS: readonly EndSignal[] = ["SIGHUP", "SIGINT", "SIGTERM"];

/** Connects the person's terminal with a guest's until the guest ends, the keys are typed, or a signal comes. */
export async function runTerminal(
  io: Io,
  terminal: Terminal,
  detachKeys: Uint8Array,
): Promise<Parting> {
  using user = new UserTerminal(io);
  const parting = Promise.withResolvers<Parting>();
  const fail = (error: unknown): void => parting.reject(error);
  user.onResize((size) => void terminal.resize(size).catch(() => undefined));
  const typing = new Typing(io, terminal, new DetachKeys(detachKeys), parting);
  const signaled = (signal: EndSignal): void =>
    parting.resolve({ how: "signaled", exitCode: signalExitCode(signal) });
  for (const signal of END_SIGNALS) io.signals.on(signal, signaled);
  const reader = terminal.output.getReader();
  show(io, terminal, user, reader)
    .then(() => terminal.exited)
    .then((end) => parting.resolve({ how: "exited", exitCode: exitCodeOf(end) }), fail);
  try {
    return await parting.promise;
  } finally {
    typing.stop();
    for (const signal of END_SIGNALS) io.signals.off(signal, signaled);
    await reader.cancel();
  }
}

/** Prints the guest's output to its end. What was written before is printed without its questions. */
async function show(
  io: Io,
  terminal: Terminal,
  user: UserTerminal,
  reader: ReadableStreamDefaultReader<Uint8Array>,
): Promise<void> {
  const guard = new WithoutClipboard();
  let position = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const isOld = position + terminal.skippedBytes < (await terminal.liveFrom);
    const isFirst = position === 0;
    position += value.byteLength;
    const bytes = guard.feed(isOld ? withoutQueries(value) : value);
    user.note(bytes);
    await write(io.stdout, bytes);
    if (isFirst && terminal.skippedBytes > 0) await repaint(terminal, user);
  }
}

/** The beginning is lost, and what is drawn on it: a program draws anew when its size changes. */
async function repaint(terminal: Terminal, user: UserTerminal): Promise<void> {
  const { cols, rows } = user.size;
  await terminal.resize({ cols, rows: rows > 1 ? rows - 1 : rows + 1 });
  await terminal.resize({ cols, rows });
}

/** Types into the guest what the person types. */
class Typing {
  readonly #io: Io;
  readonly #terminal: Terminal;
  readonly #keys: DetachKeys;
  readonly #parting: PromiseWithResolvers<Parting>;
  readonly #listener = (chunk: unknown): void => void this.#typed(chunk);

  constructor(
    io: Io,
    terminal: Terminal,
    keys: DetachKeys,
    parting: PromiseWithResolvers<Parting>,
  ) {
    this.#io = io;
    this.#terminal = terminal;
    this.#keys = keys;
    this.#parting = parting;
    io.stdin.on("data", this.#listener);
    io.stdin.resume();
  }

  stop(): void {
    this.#io.stdin.off("data", this.#listener);
    this.#io.stdin.pause();
  }

  async #typed(chunk: unknown): Promise<void> {
    const bytes = chunk instanceof Uint8Array ? chunk : Buffer.from(String(chunk));
    const { typed, isDetached } = this.#keys.feed(bytes);
    // A long paste waits here, and not in memory.
    this.#io.stdin.pause();
    try {
      if (typed.byteLength > 0) await this.#terminal.write(typed);
      if (isDetached) this.#parting.resolve({ how: "detached" });
      else this.#io.stdin.resume();
    } catch {
      // It has ended, or its VM is lost: its output says which.
    }
  }
}
