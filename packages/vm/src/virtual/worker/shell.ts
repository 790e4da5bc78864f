import type { Bash, DefenseInDepthBox, getCommandNames } from "just-bash";

/** The part of just-bash that is used. */
export interface Shell {
  readonly Bash: typeof Bash;
  readonly DefenseInDepthBox: typeof DefenseInDepthBox;
  readonly getCommandNames: typeof getCommandNames;
}

/**
 * Loads just-bash from where the driver found it. While a script runs, what of JavaScript it has no business with is
 * blocked: kept on for the worker's life, because switching takes longer than a small script.
 */
export async function loadShell(url: string): Promise<Shell> {
  const shell: Shell = await import(url);
  shell.DefenseInDepthBox.getInstance(true).activate();
  return shell;
}
