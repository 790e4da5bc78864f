import { spawnSync } from "node:child_process";

/** Whether bwrap is installed and works here. */
export function hasBubblewrap(): boolean {
  return spawnSync("bwrap", inBubblewrap(["/bin/true"]), { stdio: "ignore" }).status === 0;
}

/** A sandbox like ours, for one command. */
export function inBubblewrap(command: readonly string[]): string[] {
  const flags =
    "--unshare-all --unshare-user --uid 1000 --gid 1000 --cap-drop ALL --new-session --die-with-parent --hostname vm --ro-bind /usr /usr --symlink usr/bin /bin --symlink usr/lib /lib --symlink usr/lib64 /lib64 --ro-bind /etc /etc --proc /proc --dev /dev --tmpfs /tmp --chdir /tmp";
  return [...flags.split(" "), ...command];
}
