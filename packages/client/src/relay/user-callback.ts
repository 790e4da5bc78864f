/** Calls a function of the program's own and waits for it. What it throws is a warning of the process, and changes nothing. */
export async function call(what: string, run: () => unknown): Promise<void> {
  try {
    await run();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    process.emitWarning(`${what} failed: ${reason}`, { code: "AGENTOS_CALLBACK" });
  }
}
