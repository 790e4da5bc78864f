import { StreamId } from "./ids.ts";
import { NetworkPolicy } from "./network-policy.ts";
import { Port } from "./network.ts";
import { Nothing } from "./nothing.ts";
import { VmInfo, VmScope } from "./vm.ts";

/** The methods about a VM's network: a part of `METHODS`. */
export const NETWORK_METHODS = {
  "vm.setNetwork": {
    scope: "vm",
    summary: "Set what the VM's programs may reach, now. What it forbids is cut.",
    params: VmScope.extend({ network: NetworkPolicy }),
    result: VmInfo,
  },
  "network.connect": {
    scope: "vm",
    summary:
      "Connect to a program that listens on a port of the VM's own loopback; its bytes travel on `stream`. `stream.close` ends it.",
    params: VmScope.extend({ stream: StreamId, port: Port }),
    result: Nothing,
  },
} as const;
