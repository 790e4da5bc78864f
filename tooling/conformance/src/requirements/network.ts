import { rows } from "../requirement.ts";

/** The network of a VM, from outside and inside. */
export const network = [
  ...rows("network", {
    "network.unsupported": "a driver without a network says so, and what to use instead",
  }),
  ...rows(
    "network",
    {
      "network.fetch": "fetch streams both ways, bytes as they are",
      "network.websocket": "a WebSocket of a program in the VM is reached over os.connect",
      "network.closed-port": "a port where nothing listens is PORT_CLOSED",
      "network.bad-port": "what is no port or no request is refused with typed errors",
      "network.forward": "a forwarded port leads into the VM, until it is disposed",
      "network.forward-host": "S13: a forwarded port lets web pages in under loopback's names only",
      "network.forward-command": "agentos forward serves a VM's port until it is interrupted",
      "network.back-pressure": "a response that nobody reads waits in the VM",
      "network.fence": "a takeover cuts the connections of those it fences off",
    },
    "linux",
  ),
];
