import { isAgentOsError } from "@agentos/protocol";

import type { FakeProgram, ProgramContext } from "./fake-program.ts";
import { runFakeShell } from "./fake-shell.ts";

const FLOOD_CHUNK_BYTES = 16 * 1024;

/** The programs that every fake VM has, as /bin/NAME. */
export const FAKE_PROGRAMS: Readonly<Record<string, FakeProgram>> = {
  true: () => 0,
  false: () => 1,
  /** exit N */
  exit: ({ argv }) => Number(argv[1] ?? 0),
  echo: async (context) => {
    await context.stdout(`${context.argv.slice(1).join(" ")}\n`);
    return 0;
  },
  /** Its arguments, on stderr. */
  stderr: async (context) => {
    await context.stderr(`${context.argv.slice(1).join(" ")}\n`);
    return 0;
  },
  pwd: async (context) => {
    await context.stdout(`${context.cwd}\n`);
    return 0;
  },
  env: async (context) => {
    for (const [name, value] of Object.entries(context.env)) {
      await context.stdout(`${name}=${value}\n`);
    }
    return 0;
  },
  cat,
  /** Never ends by itself, whatever its arguments say: a signal, its time-out or the VM's end ends it. */
  sleep: (context) => untilEnded(context),
  /** Ends by SIGKILL only; says once that it is ready. */
  stubborn: async (context) => {
    context.trap("SIGTERM", () => undefined);
    context.trap("SIGINT", () => undefined);
    await context.stdout("ready\n");
    return untilEnded(context);
  },
  /** flood N: N bytes, byte i being i % 251, as fast as they are taken. */
  flood,
  /** background TEXT: ends at once; on SIGUSR1 its child writes TEXT and closes both channels. */
  background: (context) => {
    const told = Promise.withResolvers<void>();
    context.trap("SIGUSR1", told.resolve);
    context.background(told.promise.then(() => context.stdout(`${context.argv[1] ?? ""}\n`)));
    return 0;
  },
  sh: (context) => runFakeShell(context, FAKE_PROGRAMS),
};

async function cat(context: ProgramContext): Promise<number> {
  const paths = context.argv.slice(1);
  if (paths.length === 0) {
    for await (const bytes of context.stdin) await context.stdout(bytes);
    return 0;
  }
  let code = 0;
  for (const path of paths) {
    const absolute = path.startsWith("/") ? path : `${context.cwd}/${path}`;
    try {
      await context.stdout(context.files.getFile(absolute, "open").read());
    } catch (error) {
      if (!isAgentOsError(error, "FILE_SYSTEM")) throw error;
      await context.stderr(`cat: ${path}: ${error.details.errno}\n`);
      code = 1;
    }
  }
  return code;
}

async function flood(context: ProgramContext): Promise<number> {
  const total = Number(context.argv[1] ?? 0);
  for (let offset = 0; offset < total && !context.ended.aborted; offset += FLOOD_CHUNK_BYTES) {
    const length = Math.min(FLOOD_CHUNK_BYTES, total - offset);
    await context.stdout(floodBytes(offset, length));
  }
  return 0;
}

/** What `flood` writes from `offset` on. */
export function floodBytes(offset: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (offset + index) % 251);
}

function untilEnded(context: ProgramContext): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  context.ended.addEventListener("abort", () => resolve(0), { once: true });
  return promise;
}
