import { flush } from "./output/write.ts";
import { runCommandLine } from "./program.ts";

/** The life of the bin: the command line, then its exit code. */
export async function run(): Promise<never> {
  // Whoever writes hears of it; without a listener Node would end this process in the middle.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);

  const code = await runCommandLine(process.argv.slice(2), {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    directory: process.cwd(),
    signals: process,
  });
  await Promise.all([flush(process.stdout), flush(process.stderr)]);
  // A connection that is still closing must not keep the shell waiting.
  return process.exit(code);
}
