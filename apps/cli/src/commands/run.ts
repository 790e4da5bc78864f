import { AgentOs, type CreateOptions, type VmInfo } from "@agentos/client";

import type { GlobalOptions } from "../command-context.ts";
import { createGuestOutput } from "../guest/guest-output.ts";
import { Interrupts } from "../guest/interrupts.ts";
import { type ProcessOptions, runGuest } from "../guest/run-guest.ts";
import { type LimitOptions, limitsOf, warnOfSoftLimits } from "../guest/vm-limits.ts";
import type { Io } from "../io.ts";
import { type NetworkOptions, policyOf } from "./network.ts";
import { printable } from "../output/printable.ts";
import { write } from "../output/write.ts";

export interface RunOptions extends ProcessOptions, LimitOptions, NetworkOptions {
  readonly name?: string;
  readonly driver?: string;
  readonly image?: string;
  readonly from?: string;
  readonly mount?: boolean;
  readonly readOnly?: boolean;
  readonly mapOwner?: boolean;
  readonly copy: boolean;
}

const WORKSPACE = "/workspace";

/** `agentos run -- CMD`. */
export async function run(
  io: Io,
  globals: GlobalOptions,
  argv: readonly string[],
  options: RunOptions,
): Promise<number> {
  using interrupts = new Interrupts(io.signals);
  try {
    const { signal } = interrupts;
    await using os = await AgentOs.create({ ...createOptions(io, globals, options), signal });
    const info = await os.info();
    const json = globals.json === true;
    const output = createGuestOutput(io, json, signal);
    const { vmId, name, driver, isolation } = info;
    await output.event("leased", { vmId, name, driver, isolation });
    await warnOfSoftLimits(io, options, info);
    await warnOfIsolation(io, info);
    const isFilled = options.mount === true || options.from !== undefined;
    if (!isFilled && options.copy) await copyIn(io, os, signal);
    signal.throwIfAborted();
    return await runGuest(io, { os, argv, options, output, interrupts, json });
  } catch (error) {
    // Whatever broke off because of Ctrl-C is no failure of its own.
    if (interrupts.exitCode !== undefined) return interrupts.exitCode;
    throw error;
  }
}

function createOptions(io: Io, globals: GlobalOptions, options: RunOptions): CreateOptions {
  const mount = {
    kind: "host" as const,
    source: io.directory,
    target: WORKSPACE,
    readOnly: options.readOnly === true,
    mapOwner: options.mapOwner === true,
  };
  return {
    pool: globals.pool,
    name: options.name,
    driver: options.driver,
    image: options.image,
    from: options.from,
    limits: limitsOf(options),
    network: policyOf(options),
    mounts: options.mount === true ? [mount] : [],
  };
}

/** One line on stderr, for a person: the driver that was named isolates nothing. */
async function warnOfIsolation(io: Io, { driver }: VmInfo): Promise<void> {
  if (driver !== "virtual" || io.stderr.isTTY !== true) return;
  const text = "the virtual driver is no security boundary: run only what you trust";
  await write(io.stderr, `agentos: ${text}\n`);
}

async function copyIn(io: Io, os: AgentOs, signal: AbortSignal): Promise<void> {
  const { skipped } = await os.fs.upload(io.directory, WORKSPACE, { signal });
  if (skipped.length === 0) return;
  const [first] = skipped;
  const what = `${skipped.length} sockets, pipes or devices, such as ${printable(first?.path ?? "")}`;
  await write(io.stderr, `agentos: not copied: ${what}\n`);
}
