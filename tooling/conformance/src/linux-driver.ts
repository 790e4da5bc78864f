import { tmpdir } from "node:os";

import { LinuxDriver } from "@agentos/vm";

/** Whether the linux driver works here, and why not. Where CI or AGENTOS_REQUIRE_VMD says that it must, it counts as there: then its tests fail instead of being left out. */
export async function linuxDriver(): Promise<{ available: boolean; reason: string }> {
  const required = process.env["CI"] !== undefined || process.env["AGENTOS_REQUIRE_VMD"] === "1";
  await using driver = new LinuxDriver({ runDirectory: tmpdir() });
  const { available, reason = "" } = await driver.probe();
  return { available: available || required, reason };
}
