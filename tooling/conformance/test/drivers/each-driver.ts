import { linuxDriverMissing } from "../../../linux-driver-missing.ts";

/** The drivers that work on this machine: virtual always does. */
export const DRIVERS_HERE: readonly string[] = [
  ...(linuxDriverMissing() === undefined ? ["linux"] : []),
  "virtual",
];
