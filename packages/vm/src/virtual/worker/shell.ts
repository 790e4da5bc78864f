import type { Bash, getCommandNames } from "just-bash";

/** The part of just-bash that is used. */
export interface Shell {
  readonly Bash: typeof Bash;
  readonly getCommandNames: typeof getCommandNames;
}

/** Loads just-bash from where the driver found it. */
export async function loadShell(url: string): Promise<Shell> {
  const shell: Shell = await import(url);
  return shell;
}
