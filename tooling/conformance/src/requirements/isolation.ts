import { rows } from "../requirement.ts";

/** What a process in a VM can't see or do. */
export const isolation = rows(
  "isolation",
  {
    "hole.1": "a VM's uid is never host uid 0: /etc/shadow stays closed",
    "hole.2": "every tmpfs is sized",
    "hole.3": "no secret or host path in /proc/1",
    "hole.4": "no inherited descriptor reaches the VM",
    "hole.5": "a planted symlink never leads a file operation to the host",
    "hole.6": "/etc is synthetic",
    "hole.7": "a read-only mount is read-only in depth",
    "hole.8": "what of the host is visible in /proc is documented",
    "hole.9": "one slow request does not block the agent",
    S14: "paths that are odd or hostile are names in the VM, or refused with no partial effect",
    S16: "a rename between the look and the write never leads out of the target",
    "probe.namespaces": "unshare, mount, setns and chroot are refused",
    "probe.host-signal": "a host process can't be signalled",
    "probe.proc": "/proc shows the VM's processes only",
    "probe.sysrq": "sysrq and core_pattern can't be written",
    "probe.sys": "/sys is absent",
    "probe.devices": "/dev is minimal and mknod is refused",
    "probe.net": "only lo, host ports unreachable",
    "probe.sockets": "vsock, packet and alg sockets are refused",
    "probe.tiocsti": "TIOCSTI is refused, with high bits too",
    "probe.syscalls": "keyctl, bpf, io_uring and ptrace are refused",
    "probe.x32": "a foreign architecture's call kills the caller",
    "probe.setuid": "set-user-ID programs gain nothing",
    "probe.host-tmp": "the host's /tmp is not visible",
    "probe.read-only": "/usr and /etc can't be written",
    "probe.environment": "the environment holds what was named, descriptors are 0, 1, 2",
    "walls.debug": "only a VM of the debug profile has programs that trace, and PID 1 is none's",
    "walls.landlock":
      "where the kernel has Landlock, a directory or socket of the host that was handed into a VM opens nothing there, and info() says so",
    "seen.all":
      "environment, descriptors, mounts, devices, capabilities, ids, sockets, names and files of /proc are what a list of them says, and nothing else",
    "seen.calls": "the system calls that the kernel takes are those of a list",
    "probe.fill": "a full /tmp, /dev/shm or home ends in ENOSPC",
  },
  "linux",
);
