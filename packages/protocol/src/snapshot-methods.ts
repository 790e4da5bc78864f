import * as z from "zod";

import { Id, VmName } from "./ids.ts";
import { ImageAdd, ImageInfo } from "./image.ts";
import { Nothing } from "./nothing.ts";
import { SnapshotCreate, SnapshotInfo, SnapshotRef } from "./snapshot.ts";

/** The methods about what VMs begin with: snapshots and images; a part of METHODS. */
export const SNAPSHOT_METHODS = {
  "snapshot.create": {
    scope: "vm",
    summary:
      "Freeze the VM's files as they are now. Its programs stand still meanwhile. The same snapshotId again gives the same snapshot.",
    params: SnapshotCreate,
    result: SnapshotInfo,
  },
  "snapshot.list": {
    scope: "user",
    summary: "The user's snapshots.",
    params: Nothing,
    result: z.object({ snapshots: z.array(SnapshotInfo) }),
  },
  "snapshot.remove": {
    scope: "user",
    summary: "Remove a snapshot by name or id. Refused while a VM that started from it lives.",
    params: z.object({ snapshot: SnapshotRef }),
    result: z.object({ snapshotId: Id }),
  },
  "image.add": {
    scope: "user",
    summary: "Take a root filesystem under a name: a directory, or an archive, which is unpacked.",
    params: ImageAdd,
    result: ImageInfo,
  },
  "image.list": {
    scope: "user",
    summary: "The images that the user's VMs can begin with.",
    params: Nothing,
    result: z.object({ images: z.array(ImageInfo) }),
  },
  "image.remove": {
    scope: "user",
    summary: "Forget an image, and remove what was unpacked. Refused while something stands on it.",
    params: z.object({ name: VmName }),
    result: Nothing,
  },
} as const;
