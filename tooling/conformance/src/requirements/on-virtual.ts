/**
 * What of the linux driver's behaviours holds on the virtual one too, and what is different there. The scenarios of
 * `test/drivers` run on both.
 */
export const onVirtual: Readonly<Record<string, string | undefined>> = {
  "exec.streams": undefined,
  "exec.timeout": undefined,
  "exec.cancel": undefined,
  "exec.truncated": undefined,
  "exec.stdin": "a script begins when its stdin has ended",
  "spawn.streams": "a script begins when its stdin has ended",
  "spawn.back-pressure": undefined,
  "files.operations": undefined,
  "files.errors": "there are no FIFOs, devices or hard links",
  "files.streams": undefined,
  "files.tree": undefined,
  "network.unsupported": undefined,
  "vm.names": undefined,
  "vm.info": undefined,
  "lease.takeover": undefined,
  "limits.disk": undefined,
  "limits.wall-time": undefined,
  "limits.required": "memoryBytes and cpus are always refused",
  "limits.nonsense": undefined,
  "limits.stats": "memoryBytes and cpuMs are null",
  "bad.path": undefined,
  "bad.image": undefined,
  "bad.command": "a well-known native program is UNSUPPORTED",
  "bad.permission": undefined,
  "bad.arguments": undefined,
  "bad.disposed": undefined,
  "api.driver": undefined,
};
