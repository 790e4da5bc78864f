const KIB = 1024;

/**
 * A /proc/meminfo for a VM with this much memory, as it is at the VM's start: nothing of it is used. Programs size
 * themselves by it; what is used at a moment the sidecar says.
 */
export function meminfo(memoryBytes: number): string {
  const all = Math.floor(memoryBytes / KIB);
  const lines: [string, number][] = [
    ["MemTotal", all],
    ["MemFree", all],
    ["MemAvailable", all],
    ["Buffers", 0],
    ["Cached", 0],
    ["SwapCached", 0],
    ["Active", 0],
    ["Inactive", 0],
    ["SwapTotal", 0],
    ["SwapFree", 0],
    ["Dirty", 0],
    ["Writeback", 0],
    ["AnonPages", 0],
    ["Mapped", 0],
    ["Shmem", 0],
    ["Slab", 0],
    ["SReclaimable", 0],
    ["SUnreclaim", 0],
    ["CommitLimit", all],
    ["Committed_AS", 0],
  ];
  return lines
    .map(([name, value]) => `${`${name}:`.padEnd(16)}${String(value).padStart(8)} kB\n`)
    .join("");
}
