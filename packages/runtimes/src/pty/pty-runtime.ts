import type { AgentRuntime, RuntimeHost, RuntimeRequest, RuntimeSession } from "@agentos/core";
import { DEFAULTS, type SessionSpec } from "@agentos/protocol";

import { checkCounted, commandOf, refuseOptions } from "../vm-agent/check-given.ts";
import { openSurroundings } from "../vm-agent/surroundings.ts";
import { PTY_CAPABILITIES } from "./pty-capabilities.ts";
import { PtyProcess } from "./pty-process.ts";
import { PtySession } from "./pty-session.ts";
import { type PtySettings, ptySettings } from "./pty-settings.ts";
import { QuietWatch } from "./quiet-watch.ts";
import { TerminalScreen } from "./terminal-screen.ts";

/** Without a sign of being ready, a program is taken for ready after this. */
const ASSUME_READY_MS = 25_000;

/** The agent is any program on a terminal. */
export class PtyRuntime implements AgentRuntime {
  readonly name = "pty";
  readonly capabilities = PTY_CAPABILITIES;

  async check(spec: SessionSpec): Promise<void> {
    commandOf(spec);
    ptySettings(spec);
    refuseOptions(spec, ["systemPrompt", "skills", "model"], "arguments of its command");
    refuseOptions(spec, ["initialHistory", "thinking", "maxOutputTokens"]);
    checkCounted(spec);
  }

  async open(
    request: RuntimeRequest,
    host: RuntimeHost,
    { signal }: { signal: AbortSignal },
  ): Promise<RuntimeSession> {
    const { spec, sessionId, cwd } = request;
    const { env } = await openSurroundings(request, host, { signal });
    const settings = ptySettings(spec);
    const quiet = new QuietWatch();
    let program: PtyProcess | undefined;
    // What the terminal answers goes to the program as if it were typed; one that is gone needs none.
    const answer = (data: string): void => void program?.type(data).catch(() => undefined);
    const screen = await TerminalScreen.open(settings.size, answer);
    try {
      program = await PtyProcess.start(
        {
          vm: host.vm,
          sessionId,
          argv: [commandOf(spec), ...(spec.args ?? [])],
          cwd,
          env,
          size: settings.size,
          shutdownMs: spec.timeouts?.shutdownMs ?? DEFAULTS.agentShutdownMs,
          onBytes: (bytes, done) => {
            quiet.wrote();
            screen.write(bytes, done);
          },
        },
        { signal },
      );
      const isReadyAssumed = await becomeReady(program, screen, quiet, settings, signal);
      return new PtySession({ host, program, screen, quiet, settings, isReadyAssumed });
    } catch (error) {
      await program?.[Symbol.asyncDispose]();
      screen[Symbol.dispose]();
      throw error;
    }
  }
}

/** Whether it was only assumed. Rejects with `AGENT_EXITED` or the signal's reason. */
async function becomeReady(
  program: PtyProcess,
  screen: TerminalScreen,
  quiet: QuietWatch,
  { ready, quietMs }: PtySettings,
  signal: AbortSignal,
): Promise<boolean> {
  const gone = new AbortController();
  void program.exited.then((error) => gone.abort(error));
  const late = AbortSignal.timeout(ASSUME_READY_MS);
  const isMet = (): boolean => ready?.matches(screen.text) ?? screen.text !== "";
  const any = AbortSignal.any([signal, gone.signal, late]);
  try {
    await quiet.until(quietMs, { signal: any, isMet });
    return ready === undefined;
  } catch (error) {
    if (!late.aborted || signal.aborted || gone.signal.aborted) throw error;
    return true;
  }
}
