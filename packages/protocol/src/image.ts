import * as z from "zod";

import { HostPath, VmName } from "./ids.ts";

export const ImageAdd = z.object({
  name: VmName,
  /** A root filesystem's directory, or an archive of an image, on the sidecar's machine. */
  path: HostPath,
});

/** A root filesystem that VMs can begin with. */
export const ImageInfo = z.object({
  name: VmName,
  /** `host`: the host's own; `directory`: somebody's, used as it is; `archive`: unpacked. */
  kind: z.enum(["host", "directory", "archive"]),
  /** Where it came from. */
  source: z.string().optional(),
  createdAt: z.string().optional(),
});
export type ImageInfo = z.infer<typeof ImageInfo>;
