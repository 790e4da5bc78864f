import type { FrameSink, FrameSource, VmDoor, VmIncoming, VmNetwork, VmPort } from "@agentos/core";
import { AgentOsError, DEFAULTS } from "@agentos/protocol";

import type { Failure } from "../link/failure.ts";
import { u32 } from "../link/fields.ts";
import type { Link } from "../link/link.ts";
import { LINK_KIND } from "../link/link-kinds.ts";
import { Stream } from "../link/stream.ts";
import { StreamCredit } from "../link/stream-credit.ts";
import { LinuxDoor } from "./linux-door.ts";
import { checkedPort, encodePort, portText } from "./vm-port.ts";

const MAX_CONNECTIONS = 1024;

/** Connections with programs of one VM, made by its PID 1 in the VM's own network. */
export class LinuxNetwork implements VmNetwork {
  readonly #link: Link;
  readonly #doors = new Set<number>();

  constructor(link: Link) {
    this.#link = link;
  }

  get doors(): ReadonlySet<number> {
    return this.#doors;
  }

  async connect(
    to: VmPort,
    sink: FrameSink,
    { signal }: { signal: AbortSignal },
  ): Promise<FrameSource> {
    checkedPort(to, 1);
    signal.throwIfAborted();
    const windowBytes = DEFAULTS.streamWindowBytes;
    const credit = new StreamCredit({ windowBytes, stdinWindowBytes: windowBytes, gaps: false });
    const stream = new Stream(this.#link, sink, credit, { opening: LINK_KIND.connected });
    const onAbort = (): void => stream.close();
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      const payload = Buffer.concat([u32(windowBytes), u32(windowBytes), encodePort(to)]);
      const reply = await stream.open(LINK_KIND.connect, payload, "network.connect");
      if (!reply.ok) throw connectError(this.#link.vmId, to, reply.failure);
      return stream;
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  async open(at: VmPort, onConnection: (connection: VmIncoming) => void): Promise<VmDoor> {
    const door = await LinuxDoor.open(this.#link, checkedPort(at, 0), {
      onConnection,
      onClosed: ({ port }) => void (port !== undefined && this.#doors.delete(port)),
    });
    const isElsewhere = "path" in at || at.address !== undefined;
    if (door.port !== undefined && !isElsewhere) this.#doors.add(door.port);
    return door;
  }
}

function connectError(vmId: string, to: VmPort, { errno, step }: Failure): AgentOsError {
  const port = portText(to);
  if (step === "table") {
    const limit = "connections";
    return new AgentOsError("POOL_EXHAUSTED", `the VM has ${MAX_CONNECTIONS} ${limit}`, {
      limit,
      capacity: MAX_CONNECTIONS,
      waiting: 0,
    });
  }
  // A socket file that is none, or whose backlog is full, takes no connection either.
  const message = `no program of VM ${vmId} takes connections at ${port}: ${errno.name}`;
  return new AgentOsError("PORT_CLOSED", message, { vmId, port });
}
