export { LinuxDriver, type LinuxDriverOptions } from "./linux/linux-driver.ts";
export { vmdFileName } from "./vmd-file-name.ts";
