import type { VmDriver } from "@agentos/core";
import { AgentOsError, type DriverReport } from "@agentos/protocol";

/** No security boundary: only ever taken by name. */
const NEVER_AUTOMATIC = "virtual";

/** The drivers of a sidecar, strongest first, made once. */
export class DriverSet implements AsyncDisposable {
  readonly #make: () => Promise<readonly VmDriver[]>;
  #made: Promise<readonly VmDriver[]> | undefined;
  #state: "open" | "disposed" = "open";

  constructor(make: () => Promise<readonly VmDriver[]>) {
    this.#make = make;
  }

  /** Makes the drivers where that has not been done. Rejects as the making did. */
  async load(): Promise<readonly VmDriver[]> {
    // One that is made after the disposal would never be disposed.
    if (this.#state === "disposed") return [];
    this.#made ??= this.#make();
    return await this.#made;
  }

  /** The driver of that name, or for `auto` the strongest that works here. Rejects with `UNKNOWN_DRIVER` or `DRIVER_UNAVAILABLE`. */
  async choose(name: string): Promise<VmDriver> {
    const drivers = await this.#loaded(name);
    if (name === "auto") return await strongest(drivers);
    const driver = drivers.find((candidate) => candidate.name === name);
    if (driver !== undefined) return driver;
    const known = drivers.map((candidate) => candidate.name);
    throw new AgentOsError(
      "UNKNOWN_DRIVER",
      `unknown driver ${JSON.stringify(name)}, known are: ${["auto", ...known].join(", ")}`,
      {
        driver: name,
        known,
      },
    );
  }

  /** What each driver can do on this machine. */
  async reports(): Promise<DriverReport[]> {
    const drivers = await this.#loaded("auto");
    return await Promise.all(drivers.map((driver) => driver.probe()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#state = "disposed";
    // What could not be made needs no disposal.
    const drivers = (await this.#made?.catch(() => [])) ?? [];
    await Promise.all(drivers.map((driver) => driver[Symbol.asyncDispose]()));
  }

  async #loaded(name: string): Promise<readonly VmDriver[]> {
    try {
      return await this.load();
    } catch (cause) {
      const reason = "the drivers could not be loaded: see the sidecar's log";
      throw new AgentOsError("DRIVER_UNAVAILABLE", reason, { driver: name, reason }, { cause });
    }
  }
}

async function strongest(drivers: readonly VmDriver[]): Promise<VmDriver> {
  const candidates = drivers.filter((driver) => driver.name !== NEVER_AUTOMATIC);
  // A single one explains its own refusal better than a probe in front of it, and faster.
  if (candidates.length === 1 && candidates[0] !== undefined) return candidates[0];
  const reasons: string[] = [];
  for (const driver of candidates) {
    // oxlint-disable-next-line no-await-in-loop -- The next one matters only where this one does not work.
    const report = await driver.probe();
    if (report.available) return driver;
    reasons.push(`${driver.name}: ${report.reason ?? "not available"}`);
  }
  const reason =
    reasons.length === 0 ? "this sidecar has no driver that isolates" : reasons.join("; ");
  throw new AgentOsError("DRIVER_UNAVAILABLE", `no driver works on this machine: ${reason}`, {
    driver: "auto",
    reason,
  });
}
