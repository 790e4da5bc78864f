import { signalExitCode } from "../exit-code.ts";
import type { EndSignal, SignalSource } from "../io.ts";

const HANDLED: readonly EndSignal[] = ["SIGINT", "SIGTERM", "SIGHUP"];

/** Where signals of this process go while a guest process runs. */
export interface SignalReceiver {
  /** The first one: the guest may end itself. */
  forward(signal: EndSignal): void;
  /** The second one: no more waiting. */
  kill(): void;
}

/**
 * Holds the ends that a person or a system asks for. Before a guest runs, the first signal aborts
 * `signal`; afterwards the first goes to the guest and the second kills. A third has its default effect.
 */
export class Interrupts implements Disposable {
  readonly #source: SignalSource;
  readonly #abort = new AbortController();
  readonly #listener = (signal: EndSignal) => this.#receive(signal);
  #receiver: SignalReceiver | undefined;
  #received: EndSignal[] = [];

  constructor(source: SignalSource) {
    this.#source = source;
    for (const signal of HANDLED) source.on(signal, this.#listener);
  }

  /** Aborted once this command should stop whatever it does itself. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** 128 and the first signal's number; undefined while none came. */
  get exitCode(): number | undefined {
    const [first] = this.#received;
    return first === undefined ? undefined : signalExitCode(first);
  }

  /** From now on signals are the guest's, those that came meanwhile too. */
  deliverTo(receiver: SignalReceiver): void {
    this.#receiver = receiver;
    for (const [index, signal] of this.#received.entries()) this.#deliver(signal, index + 1);
  }

  /** Ctrl-C where the terminal gives it as a key and the system no signal. */
  interrupt(): void {
    this.#receive("SIGINT");
  }

  [Symbol.dispose](): void {
    for (const signal of HANDLED) this.#source.off(signal, this.#listener);
  }

  #receive(signal: EndSignal): void {
    this.#received.push(signal);
    if (this.#receiver === undefined) this.#abort.abort();
    else this.#deliver(signal, this.#received.length);
    if (this.#received.length >= 2) this[Symbol.dispose]();
  }

  #deliver(signal: EndSignal, count: number): void {
    if (count === 1) this.#receiver?.forward(signal);
    else {
      this.#abort.abort();
      this.#receiver?.kill();
    }
  }
}
