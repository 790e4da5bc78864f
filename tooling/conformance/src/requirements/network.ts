import { rows } from "../requirement.ts";

/** The network of a VM, from outside and inside. */
export const network = [
  ...rows(
    "network",
    {
      "network.unsupported": "a driver without a network says so, and what to use instead",
    },
    "virtual",
  ),
  ...rows("egress", {
    "network.forward-command": "agentos forward serves a VM's port until it is interrupted",
    "network.command": "agentos run --allow-host and agentos network set and show the policy",
    "network.host-parser": "S34: one parser of hosts: what is ambiguous is no host",
    "network.bad-policy": "S33: a policy that is malformed, or has unknown fields, is refused",
    "network.egress": "the policy's hosts and ports are reached through the proxy, and no others",
    "network.empty-list": "S33: an empty list lets nothing through",
    "network.private": "S34: a name leads to a private address only where the policy names that",
    "network.rebinding": "S34: the address that was checked is the one that is dialled",
    "network.spellings": "S34: other spellings of a host are the host, or none",
    "network.connect": "CONNECT carries bytes both ways",
    "network.sni": "S34: TLS for another host than was asked for is cut",
    "network.socks": "SOCKS5 goes through the same policy",
    "network.live": "another policy cuts what it forbids at once",
    "private.bound": "no more VMs than its bound are on a private network",
    "network.decisions": "decisions are events, bounded and counted",
  }),
  ...rows(
    "network",
    {
      "network.programs": "programs in a VM find the proxy by their environment",
      "network.walls": "S35: around the proxy there is no way out: no UDP, no DNS, no other route",
      "network.adopted": "the policy holds on in the next life of a sidecar",
      "private.names":
        "VMs on one private network reach what each offers under its name, and each decision is an event",
      "private.deny":
        "S35: a VM on no private network or on another reaches none of it, nor what is not offered, nor the sidecar's own doors",
      "private.live": "joining, offering and leaving hold at once, and cut what is open",
      "private.adopted": "a private network is there in the next life of the sidecar",
      "bad.private": "a private network that is malformed is refused",
      "network.fetch": "fetch streams both ways, bytes as they are",
      "network.websocket": "a WebSocket of a program in the VM is reached over os.connect",
      "network.closed-port": "a port where nothing listens is PORT_CLOSED",
      "network.bad-port": "what is no port or no request is refused with typed errors",
      "network.forward": "a forwarded port leads into the VM, until it is disposed",
      "network.forward-host": "S13: a forwarded port lets web pages in under loopback's names only",
      "network.back-pressure": "a response that nobody reads waits in the VM",
      "network.fence": "a takeover cuts the connections of those it fences off",
    },
    "linux",
  ),
];
