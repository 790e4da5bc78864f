"""What a process in a VM sees and may call, as one JSON document."""

import ctypes
import errno
import json
import os
import resource
import socket
import stat
import sys

KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "link", stat.S_IFCHR: "device",
         stat.S_IFBLK: "disk", stat.S_IFIFO: "fifo", stat.S_IFSOCK: "socket"}
STATUS = ("Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp",
          "Seccomp_filters")
FAMILIES = ("unix", "inet", "ax25", "ipx", "appletalk", "x25", "inet6", "rose", "decnet", "netbeui", "key",
            "netlink", "packet", "econet", "atmsvc", "rds", "irda", "pppox", "wanpipe", "llc", "ib", "mpls",
            "can", "tipc", "bluetooth", "iucv", "rxrpc", "isdn", "phonet", "ieee802154", "caif", "alg", "nfc",
            "vsock", "kcm", "qipcrtr", "smc", "xdp", "mctp")
FAMILY_NUMBERS = (1, 2, 3, 4, 5, 9, 10, 11, 12, 13, 15, 16, 17, 19, 20, 21, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32,
                  33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45)
libc = ctypes.CDLL(None, use_errno=True)


def text(path):
    try:
        with open(path, errors="replace") as file:
            return file.read(65536)
    except OSError as error:
        return errno.errorcode[error.errno]


def listed(path):
    try:
        return sorted(os.listdir(path))
    except OSError as error:
        return errno.errorcode[error.errno]


def kind_of(path):
    found = os.lstat(path)
    number = f" {os.major(found.st_rdev)}:{os.minor(found.st_rdev)}" if found.st_rdev else ""
    return f"{path} {KINDS[stat.S_IFMT(found.st_mode)]}{number}"


def below(root):
    """Every name below it, on its filesystem and those mounted there."""
    for directory, directories, files in os.walk(root):
        for name in directories + files:
            yield os.path.join(directory, name)


def can_write(path):
    try:
        os.close(os.open(path, os.O_WRONLY))
        return True
    except OSError:
        return False


def status():
    lines = dict(line.split(":\t", 1) for line in text("/proc/self/status").splitlines() if ":\t" in line)
    return {name: " ".join(lines.get(name, "").split()) for name in STATUS}


def mounts():
    """Where, from where, of what kind and how: "target root type flags"."""
    seen = []
    for line in text("/proc/self/mountinfo").splitlines():
        mine, _, theirs = line.partition(" - ")
        fields, kind = mine.split(), theirs.split()[0]
        flags = ",".join(flag for flag in ("ro", "nosuid", "nodev", "noexec") if flag in fields[5].split(","))
        seen.append(f"{fields[4]} {fields[3]} {kind} {flags}")
    return sorted(seen)


def sockets():
    answers = {}
    for name, family in zip(FAMILIES, FAMILY_NUMBERS):
        kinds = (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET)
        answers[name] = sorted({opened(family, kind) for kind in kinds})
    return [name for name, answer in answers.items() if "open" in answer]


def opened(family, kind):
    try:
        socket.socket(family, kind).close()
        return "open"
    except OSError as error:
        return errno.errorcode[error.errno]


def writable():
    """Files of /proc that are not a process's own, and of the read-only trees, that can be opened to write."""
    own = ("/proc/self", "/proc/thread-self")
    proc = [path for path in below("/proc")
            if not path.startswith(own) and not path.split("/")[2].isdigit()]
    trees = [path for root in ("/usr/bin", "/usr/lib/python3", "/opt", "/etc") for path in below(root)]
    return [path for path in proc + trees if not os.path.islink(path) and can_write(path)]


def makeable():
    """Directories at the top and of /dev in which something can be made."""
    places = ["/"] + ["/" + name for name in os.listdir("/")] + ["/dev/pts", "/dev/shm", "/home/agent", "/var/tmp", "/opt/agentos", "/run"]
    return sorted({place for place in places if os.path.isdir(place) and os.access(place, os.W_OK)})


def named(names):
    """Where one of the words stands: in names and contents of what can be read and is not a program's."""
    found = set()
    roots = ("/proc/self", "/proc/1", "/proc/sys", "/proc/net", "/etc", "/run", "/tmp", "/home", "/dev", "/workspace")
    for root in roots:
        for path in below(root):
            if path.startswith(("/proc/self/task", "/proc/1/task", "/proc/self/root", "/proc/self/cwd")):
                continue
            content = text(path) if os.path.isfile(path) and not path.endswith(("/mem", "/pagemap", "/kmsg")) else ""
            target = os.readlink(path) if os.path.islink(path) and os.access(path, os.R_OK) else ""
            if any(word in part for word in names for part in (path, content, target)):
                found.add(path)
    return sorted(found)


def keys():
    libc.syscall(250, 11, -3, 0, 0, 0)  # KEYCTL_READ of the session's
    return errno.errorcode.get(ctypes.get_errno(), "ok"), text("/proc/keys")


def main():
    words = json.load(sys.stdin)
    print(json.dumps({
        "environment": sorted(name for name in os.environ if name != "LC_CTYPE"),
        "descriptors": [name for name in listed("/proc/self/fd") if os.path.lexists(f"/proc/self/fd/{name}")],
        "status": status(),
        "uidMap": text("/proc/self/uid_map").split(), "gidMap": text("/proc/self/gid_map").split(),
        "setgroups": text("/proc/self/setgroups").strip(),
        "root": listed("/"), "devices": sorted(kind_of(path) for path in below("/dev") if "/shm/" not in path),
        "proc": [name for name in listed("/proc") if not name.isdigit()],
        "processes": sorted(text(f"/proc/{pid}/comm").strip() for pid in listed("/proc") if pid.isdigit()),
        "sys": listed("/sys"), "mounts": mounts(), "writable": writable(), "makeable": makeable(),
        "sockets": sockets(), "interfaces": listed("/proc/sys/net/ipv4/conf"),
        "cgroup": sorted({line.split(":", 2)[2] for line in text("/proc/self/cgroup").splitlines()}),
        "keys": keys(),
        "hostname": [socket.gethostname(), text("/proc/sys/kernel/domainname").strip(), text("/etc/hostname").strip()],
        "limits": {name: resource.getrlimit(getattr(resource, name))[1]
                   for name in ("RLIMIT_CORE", "RLIMIT_MEMLOCK", "RLIMIT_NOFILE", "RLIMIT_RTPRIO", "RLIMIT_NICE")},
        "secrets": {path: text(path) for path in ("/proc/kcore", "/proc/kmsg", "/proc/1/environ", "/proc/1/maps",
                                                  "/proc/timer_list", "/proc/slabinfo", "/proc/vmallocinfo",
                                                  "/proc/kpageflags", "/etc/shadow", "/etc/machine-id")},
        "named": named(words),
    }))


main()
