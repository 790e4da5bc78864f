import type { FakeProgram, ProgramContext } from "./fake-program.ts";

/** `sh -c SCRIPT`: commands joined by `;` and `&&`, words in quotes or not, `>&2`. Nothing else. */
export async function runFakeShell(
  context: ProgramContext,
  programs: Readonly<Record<string, FakeProgram>>,
): Promise<number> {
  if (context.argv[1] !== "-c") {
    await context.stderr("sh: only -c is known\n");
    return 2;
  }
  let code = 0;
  for (const step of (context.argv[2] ?? "").split(";")) {
    for (const command of step.split("&&")) {
      code = await runCommand(context, programs, wordsOf(command));
      if (code !== 0) break;
    }
  }
  return code;
}

async function runCommand(
  context: ProgramContext,
  programs: Readonly<Record<string, FakeProgram>>,
  words: readonly string[],
): Promise<number> {
  const argv = words.filter((word) => word !== ">&2");
  const [name] = argv;
  if (name === undefined) return 0;
  if (!Object.hasOwn(programs, name)) {
    await context.stderr(`sh: ${name}: not found\n`);
    return 127;
  }
  const stdout = argv.length < words.length ? context.stderr : context.stdout;
  return (await programs[name]?.({ ...context, argv, stdout })) ?? 127;
}

function wordsOf(command: string): string[] {
  return [...command.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(
    ([, double, single, bare]) => double ?? single ?? bare ?? "",
  );
}
