import type { RuntimeHost, RuntimeSession, RuntimeTurn, RuntimeTurnResult } from "@agentos/core";
import { type AgentOsError, type Content, isAgentOsError } from "@agentos/protocol";

import { promptText } from "../vm-agent/prompt-text.ts";
import { EchoWatch } from "./echo-watch.ts";
import type { PtyProcess } from "./pty-process.ts";
import type { PtySettings } from "./pty-settings.ts";
import type { QuietWatch } from "./quiet-watch.ts";
import type { ScreenMark, TerminalScreen } from "./terminal-screen.ts";
import { typedText } from "./typed-text.ts";

/** From typing to the submit key: what is typed is shown by then. */
const ECHO_MS = 60;
/** The screen of a running turn is told this often, where it has changed. */
const SCREEN_MS = 2_000;
/** What a program may take to stop when it is interrupted. */
const INTERRUPT_MS = 1_200;
/** Of a line in the kernel's line discipline, which drops the rest: 4,095, and the submit key. */
const LINE_BYTES = 4_000;

export interface PtySessionOptions {
  readonly host: RuntimeHost;
  readonly program: PtyProcess;
  readonly screen: TerminalScreen;
  readonly quiet: QuietWatch;
  readonly settings: PtySettings;
  /** Its program was taken for ready because it was quiet. */
  readonly isReadyAssumed: boolean;
}

interface Submitted {
  readonly mark: ScreenMark | undefined;
  readonly echo: EchoWatch;
}

/** A program on a terminal as an agent: prompts are typed, and its screen is all that is known of it. */
export class PtySession implements RuntimeSession {
  readonly exited: Promise<AgentOsError>;
  readonly #options: PtySessionOptions;
  readonly #gone = new AbortController();
  #isNoticeDue: boolean;

  constructor(options: PtySessionOptions) {
    this.#options = options;
    this.exited = options.program.exited;
    this.#isNoticeDue = options.isReadyAssumed;
    void this.exited.then((error) => this.#gone.abort(error));
  }

  async prompt(turn: RuntimeTurn): Promise<RuntimeTurnResult> {
    const { quiet, settings, screen } = this.#options;
    this.#tellAssumed();
    const signal = AbortSignal.any([turn.signal, this.#gone.signal]);
    const stop = this.#tellScreen();
    let mark: ScreenMark | undefined;
    try {
      const typed = await this.#submit(turn.content, signal);
      mark = typed.mark;
      const isMet = (): boolean => settings.ready?.matches(screen.text) ?? true;
      await quiet.until(settings.quietMs, { signal, isMet });
      this.#tellEcho(typed.echo);
      return this.#ended("end_turn", screen.textBelow(mark));
    } catch (error) {
      if (isAgentOsError(error, "AGENT_EXITED"))
        return { ...this.#ended("error", screen.textBelow(mark)), error };
      if (!turn.signal.aborted) throw error;
      await this.#interrupt();
      return this.#ended("cancelled", screen.textBelow(mark));
    } finally {
      stop();
      mark?.dispose();
    }
  }

  async steer(content: Content): Promise<void> {
    const { mark } = await this.#submit(content, this.#gone.signal);
    mark?.dispose();
  }

  async input(data: string): Promise<number> {
    this.#gone.signal.throwIfAborted();
    this.#options.quiet.wrote();
    await this.#options.program.type(data);
    return Buffer.byteLength(data);
  }

  pids(): readonly number[] {
    return [this.#options.program.pid];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { program, screen } = this.#options;
    try {
      await program[Symbol.asyncDispose]();
    } finally {
      screen[Symbol.dispose]();
    }
  }

  /** Types it and the submit key; what stands below the mark is the answer. */
  async #submit(content: Content, signal: AbortSignal): Promise<Submitted> {
    const { program, screen, quiet, settings } = this.#options;
    const typed = await this.#typed(content);
    const echo = new EchoWatch(screen, typed);
    quiet.wrote();
    await program.type(typed);
    await quiet
      .until(ECHO_MS, { signal: AbortSignal.any([signal, AbortSignal.timeout(1_000)]) })
      .catch(() => signal.throwIfAborted());
    echo.look();
    const mark = screen.mark();
    quiet.wrote();
    await program.type(settings.submit);
    return { mark, echo };
  }

  /** As it is typed; what is too long for one line of a terminal is a file of the VM. */
  async #typed(content: Content): Promise<string> {
    const { host, screen } = this.#options;
    const text = await promptText(host.vm, content);
    const typed = typedText(text, screen.takesPaste);
    if (screen.takesPaste) return typed;
    if (Buffer.byteLength(typed) > LINE_BYTES) {
      const data = Buffer.from(text).toString("base64");
      const place = await promptText(host.vm, [{ type: "file", mediaType: "text/plain", data }]);
      const message = `its program takes no paste, and the prompt is too long for a line: ${place}`;
      host.emit({ type: "notice", message });
      return place;
    }
    if (text.trim().includes("\n")) {
      const message = "its program takes no paste: the lines of the prompt were typed as one";
      host.emit({ type: "notice", message });
    }
    return typed;
  }

  async #interrupt(): Promise<void> {
    const { program, quiet, settings } = this.#options;
    quiet.wrote();
    await program.type(settings.interrupt);
    const signal = AbortSignal.any([AbortSignal.timeout(INTERRUPT_MS), this.#gone.signal]);
    // One that goes on writing is typed to all the same.
    await quiet.until(INTERRUPT_MS / 4, { signal }).catch(() => undefined);
  }

  /** What was typed has been on the screen: nobody can know more of a terminal. */
  #tellEcho(echo: EchoWatch): void {
    if (echo.look()) this.#options.host.emit({ type: "raw", source: "echo", value: true });
  }

  #tellAssumed(): void {
    const { host, settings } = this.#options;
    if (!this.#isNoticeDue) return;
    this.#isNoticeDue = false;
    const message = `its program was taken for ready: it was quiet for ${settings.quietMs} ms`;
    host.emit({ type: "notice", message });
  }

  #ended(stopReason: RuntimeTurnResult["stopReason"], text: string): RuntimeTurnResult {
    const { host, settings } = this.#options;
    // The prompt that waits for the next line is no part of the answer.
    const lines = text.split("\n");
    const isPrompt = lines.length > 0 && settings.ready?.matches(lines.at(-1) ?? "") === true;
    const reply = (isPrompt ? lines.slice(0, -1) : lines).join("\n").trim();
    if (reply !== "") host.emit({ type: "text", delta: reply });
    return { stopReason, text: reply };
  }

  /** The screen as it changes, for whoever watches, and as a sign of life. */
  #tellScreen(): () => void {
    const { host, screen } = this.#options;
    let told = "";
    const timer = setInterval(() => {
      const { text } = screen;
      if (text === told) return;
      told = text;
      host.emit({ type: "raw", source: "screen", value: text });
    }, SCREEN_MS);
    return () => clearInterval(timer);
  }
}
