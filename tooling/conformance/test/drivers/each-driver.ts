/** The drivers that work on this machine, as the configuration of the tests found out: virtual always does. */
export const DRIVERS_HERE: readonly string[] = (
  process.env["AGENTOS_DRIVERS_HERE"] ?? "linux virtual"
).split(" ");
