import type { Duplex } from "node:stream";

import type { SessionEgress, VmNetwork } from "@agentos/core";
import { AgentOsError, parseNetworkHost } from "@agentos/protocol";

import { Refusal } from "./dial.ts";
import type { Asked } from "./egress-gate.ts";
import { noNetwork, type VmEgress } from "./vm-egress.ts";

/** A VM, as far as its network goes. */
interface Wired {
  readonly isolation: string;
  readonly network?: VmNetwork | undefined;
}

/** The way that a session's own tools take out of its VM: through the gate that the VM's programs go through. */
export function sessionEgress(vm: VmEgress, handle: Wired): SessionEgress {
  return {
    assertAllowed: (host, port) => {
      const asked = checked(handle, host, port);
      try {
        vm.gate.assertNamed(asked);
      } catch (error) {
        throw refused(error, host, port);
      }
    },
    connect: async (host, port, { signal }) => {
      signal.throwIfAborted();
      const opened = vm.gate.open(checked(handle, host, port));
      return await unlessAborted(opened, signal).catch((error: unknown) => {
        throw signal.aborted ? signal.reason : refused(error, host, port);
      });
    },
  };
}

function checked({ network, isolation }: Wired, host: string, port: number): Asked {
  if (network === undefined) throw noNetwork(isolation, `${host}:${port}`);
  const parsed = parseNetworkHost(host);
  const target = parsed === undefined ? undefined : { host: parsed, port };
  return { via: "tool", target, shown: host };
}

/** A connection that comes too late is nobody's. */
async function unlessAborted(opened: Promise<Duplex>, signal: AbortSignal): Promise<Duplex> {
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => {
    aborted.reject(signal.reason);
    opened.then(
      (socket) => socket.destroy(),
      () => undefined,
    );
  };
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([opened, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

function refused(error: unknown, host: string, port: number): unknown {
  if (!(error instanceof Refusal)) return error;
  const { kind, message: reason } = error;
  const details = { host, port, reason };
  const to = `${host}:${port}`;
  return kind === "policy"
    ? new AgentOsError("NETWORK_REFUSED", `${to} is not reached from this VM: ${reason}`, details)
    : new AgentOsError("HOST_UNREACHABLE", `${to} can't be reached: ${reason}`, details);
}
