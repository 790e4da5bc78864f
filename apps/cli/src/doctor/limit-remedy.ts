/** What decides how cgroups can be had on a machine. */
export interface CgroupSurroundings {
  readonly isRoot: boolean;
  readonly hasSystemd: boolean;
}

/** What takes a cgroup; the other limits hold wherever VMs can be made. */
const NEED_CGROUPS = ["memoryBytes", "cpus"];

/** What to type so that a limit that nobody holds is held; docs/limits.md has the cases. `reason` is why not, as the driver found it. */
export function limitRemedy(
  limit: string,
  reason: string,
  { isRoot, hasSystemd }: CgroupSurroundings,
): string | undefined {
  if (!NEED_CGROUPS.includes(limit)) return undefined;
  if (reason.includes("is mounted here")) {
    return "mount the cgroups with the controllers memory and cpu (docs/limits.md)";
  }
  if (!isRoot && hasSystemd) {
    return "agentos down; systemd-run --user --scope -p Delegate=yes agentos up";
  }
  if (!isRoot) {
    return "agentos down; have an administrator make a cgroup that you own, and type agentos up in it (docs/limits.md)";
  }
  if (reason.includes("EROFS")) {
    return "mount the cgroups of this container writable (docs/limits.md)";
  }
  if (reason.includes("EBUSY")) {
    return "agentos down; type agentos up in a cgroup below the topmost (docs/limits.md)";
  }
  return "see docs/limits.md, Where cgroups can be had";
}
