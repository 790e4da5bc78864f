import { type Command, CommanderError } from "commander";

import type { Io } from "./io.ts";

/** What every command takes. */
export interface GlobalOptions {
  readonly pool?: string;
  readonly json?: boolean;
}

/** What a command's definition needs: its surroundings, and where its exit code goes. */
export class CommandContext {
  readonly io: Io;
  exitCode = 0;

  constructor(io: Io) {
    this.io = io;
  }

  /** Runs a command's work; what it throws becomes two lines on stderr and an exit code. */
  async run(command: Command, work: (options: GlobalOptions) => Promise<number>): Promise<void> {
    const options: GlobalOptions = command.optsWithGlobals();
    try {
      this.exitCode = await work(options);
    } catch (error) {
      if (error instanceof CommanderError) throw error;
      // What it needs to know of errors is loaded only for one.
      const { failureExitCode, isBrokenPipe, printFailure } = await import("./output/failure.ts");
      if (!isBrokenPipe(error)) await printFailure(this.io, error, options.json === true);
      this.exitCode = failureExitCode(error);
    }
  }
}
