/** The name of every VM inside itself. */
export const VM_HOSTNAME = "agentos";

/** Where /etc/hosts leads: /etc can't be written, and the names of a private network come and go. */
export const HOSTS_PATH = "/run/hosts";
/** What every VM's list of hosts begins with. */
const HOSTS = lines(
  `127.0.0.1 localhost ${VM_HOSTNAME}`,
  "::1 localhost ip6-localhost ip6-loopback",
);

export interface EtcOptions {
  home: string;
  shell: string;
  path: string;
  /** The host's, where it has one. */
  osRelease: string | undefined;
}

/** The files of a VM's /etc that are not the host's: nothing in them is about this machine's people. */
export function syntheticEtc(options: EtcOptions): Array<{ path: string; content: string }> {
  const { home, shell, path, osRelease } = options;
  const files = {
    passwd: lines(
      "root:x:0:0:root:/root:/bin/sh",
      `agent:x:1000:1000:agent:${home}:${shell}`,
      "nobody:x:65534:65534:nobody:/nonexistent:/bin/false",
    ),
    group: lines("root:x:0:", "agent:x:1000:", "nogroup:x:65534:"),
    hostname: lines(VM_HOSTNAME),
    "resolv.conf": lines("# This VM has no network, and so no name server."),
    "nsswitch.conf": lines(
      "passwd: files",
      "group: files",
      "shadow: files",
      "hosts: files",
      "networks: files",
      "protocols: files",
      "services: files",
    ),
    profile: lines(
      `export PATH="\${PATH:-${path}}"`,
      `export HOME="\${HOME:-${home}}"`,
      "umask 022",
    ),
    ...(osRelease === undefined ? {} : { "os-release": osRelease }),
  };
  return [
    ...Object.entries(files).map(([name, content]) => ({ path: `/etc/${name}`, content })),
    { path: HOSTS_PATH, content: HOSTS },
  ];
}

function lines(...texts: readonly string[]): string {
  return texts.map((text) => `${text}\n`).join("");
}
