import { AgentOsError } from "@agentos/protocol";

import { joinErrors } from "./join-errors.ts";
import { SharedHost } from "./shared-host.ts";
import type { SidecarConfiguration } from "./sidecar-configuration.ts";
import { SidecarCore } from "./sidecar-core.ts";

const DEFAULT_POOL = "default";
/** The connection stays this long after the last lease, so that one VM after another costs one handshake. It never keeps the program running. */
const LINGER_MS = 1_000;

interface Entry {
  core: SidecarCore;
  configuration: SidecarConfiguration;
}

let pool: Map<string, Entry> | undefined;

/** The pools of this program, by raw name. Made at first use. */
function sharedSidecars(): Map<string, Entry> {
  pool ??= new Map();
  return pool;
}

/** The pool's handle, or a fresh one where there is none or it is disposed. Throws `INVALID_ARGUMENT` for a configuration other than the pool's. */
export function sharedSidecar(
  name: string = DEFAULT_POOL,
  configuration: SidecarConfiguration = {},
): SidecarCore {
  const known = sharedSidecars().get(name);
  if (known !== undefined && known.core.state !== "disposed") {
    assertSame(name, known.configuration, configuration);
    return known.core;
  }
  const core = createShared(name, configuration);
  sharedSidecars().set(name, { core, configuration });
  return core;
}

/** Disposes every cached handle, for the end of a test run. Rejects with the joined errors. */
export async function disposeSharedSidecars(): Promise<void> {
  const errors: unknown[] = [];
  for (const { core } of Array.from(sharedSidecars().values())) {
    await core.dispose().catch((error: unknown) => errors.push(error));
  }
  if (errors.length > 0) throw joinErrors(errors, "failed to dispose shared sidecars: ");
}

function createShared(name: string, configuration: SidecarConfiguration): SidecarCore {
  const sidecarId = `agent-os-shared-sidecar:${name}`;
  return new SidecarCore({
    sidecarId,
    placement: { kind: "shared", ...(name === "" ? {} : { pool: name }) },
    sharedPool: name,
    host: new SharedHost(sidecarId, name, configuration),
    waitingCreateMs: configuration.waitingCreateMs,
    lingerMs: LINGER_MS,
    onDisposed: (disposed) => forget(name, disposed),
  });
}

/** Removes exactly this handle; a successor under the same name stays. */
function forget(name: string, core: SidecarCore): void {
  if (sharedSidecars().get(name)?.core === core) sharedSidecars().delete(name);
}

function assertSame(name: string, known: SidecarConfiguration, asked: SidecarConfiguration): void {
  const knownValues = new Map(Object.entries(known));
  for (const [option, value] of Object.entries(asked)) {
    const before: unknown = knownValues.get(option);
    if (value === undefined || value === before) continue;
    const expected = `${option} as this program first set it for the pool (${before === undefined ? "its default" : JSON.stringify(before)})`;
    const actual = String(value);
    throw new AgentOsError(
      "INVALID_ARGUMENT",
      `pool ${JSON.stringify(name)}: expected ${expected}, got ${actual}`,
      { argument: option, expected, actual },
    );
  }
}
