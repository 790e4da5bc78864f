import { AgentOsError } from "./agent-os-error.ts";

/** An optional peer, loaded when it is used. Rejects with `PACKAGE_MISSING` and the line that installs it. */
export async function loadPackage<T>(
  name: string,
  major: number,
  load: () => Promise<T>,
): Promise<T> {
  try {
    return await load();
  } catch (error) {
    if (!isMissing(error, name)) throw error;
    const install = `npm install ${name}@${major}`;
    const message = `the package ${name} is not installed: ${install}`;
    throw new AgentOsError("PACKAGE_MISSING", message, { package: name, install });
  }
}

/** It is the package itself that is missing, not something that it needs. */
function isMissing(error: unknown, name: string): boolean {
  return (
    error instanceof Error &&
    "code" in error &&
    error.code === "ERR_MODULE_NOT_FOUND" &&
    error.message.includes(`'${name}'`)
  );
}
