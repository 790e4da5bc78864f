export type { LinuxDriverOptions } from "./linux/driver-options.ts";
export { LinuxDriver } from "./linux/linux-driver.ts";
export { VirtualDriver, type VirtualDriverOptions } from "./virtual/virtual-driver.ts";
export { VirtualSnapshot } from "./virtual/virtual-snapshot.ts";
export { VirtualVm } from "./virtual/virtual-vm.ts";
export { vmdFileName } from "./vmd-names.ts";
