import { access, readFile } from "node:fs/promises";
import { join, resolve } from "node:path";

/** One mounted tree of cgroups. */
export interface Hierarchy {
  readonly version: 1 | 2;
  /** Of a v1 tree; v2 says per cgroup what there is. */
  readonly controllers: readonly string[];
  readonly mountPoint: string;
  /** The directory of this process's cgroup. */
  readonly own: string;
}

interface CgroupMount {
  readonly version: 1 | 2;
  readonly options: readonly string[];
  readonly root: string;
  readonly mountPoint: string;
}

/** The trees that this process sees, each once. None where /proc does not say. */
export async function readHierarchies(proc = "/proc/self"): Promise<Hierarchy[]> {
  const [mountinfo, membership] = await Promise.all([
    readFile(join(proc, "mountinfo"), "utf8").catch(() => ""),
    readFile(join(proc, "cgroup"), "utf8").catch(() => ""),
  ]);
  const mounts = mountinfo.split("\n").flatMap((line) => parseMount(line));
  const found = await Promise.all(membership.split("\n").map((line) => hierarchyOf(line, mounts)));
  return found.filter((hierarchy) => hierarchy !== undefined);
}

async function hierarchyOf(
  line: string,
  mounts: readonly CgroupMount[],
): Promise<Hierarchy | undefined> {
  const [id, list, ...rest] = line.split(":");
  if (list === undefined || list.startsWith("name=")) return undefined;
  const version = id === "0" ? 2 : 1;
  const controllers = version === 2 ? [] : list.split(",");
  const mount = mounts.find(
    (each) => each.version === version && controllers.every((name) => each.options.includes(name)),
  );
  if (mount === undefined) return undefined;
  const { mountPoint } = mount;
  const own = resolve(join(mountPoint, belowRoot(rest.join(":"), mount.root)));
  // A container may see the path of a cgroup that its mount does not reach.
  const isThere = await access(own).then(
    () => true,
    () => false,
  );
  return { version, controllers, mountPoint, own: isThere ? own : mountPoint };
}

/** A mount may show a part of the tree only. */
function belowRoot(path: string, root: string): string {
  if (path.split("/").includes("..")) return "";
  if (root === "/") return path;
  if (path === root) return "";
  return path.startsWith(`${root}/`) ? path.slice(root.length) : "";
}

function parseMount(line: string): CgroupMount[] {
  const [before, after] = line.split(" - ");
  const [, , , root, mountPoint] = before?.split(" ") ?? [];
  const [type, , options = ""] = after?.split(" ") ?? [];
  if (root === undefined || mountPoint === undefined) return [];
  if (type !== "cgroup" && type !== "cgroup2") return [];
  return [
    {
      version: type === "cgroup" ? 1 : 2,
      options: options.split(","),
      root: unescaped(root),
      mountPoint: unescaped(mountPoint),
    },
  ];
}

/** The kernel writes a space as \040 and the like. */
function unescaped(path: string): string {
  return path.replaceAll(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCodePoint(Number.parseInt(digits, 8)),
  );
}
