export type { LinuxDriverOptions } from "./linux/driver-options.ts";
export { LinuxDriver } from "./linux/linux-driver.ts";
export { vmdFileName } from "./vmd-names.ts";
