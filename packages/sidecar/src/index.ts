export type { Log } from "./log.ts";
export { StderrLog } from "./log.ts";
export type { DriverContext, SidecarOptions } from "./options.ts";
export { type Ready, Sidecar } from "./sidecar.ts";
