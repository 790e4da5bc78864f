/** Where the files of one live VM are. */
export interface VmDisk {
  /** The name of a lasting directory; undefined: in memory. */
  readonly name: string | undefined;
  /** Which upper directory of it is in use. */
  readonly generation: number;
  /** Frozen layers below, topmost first. Undefined: not known, as after a sidecar that died while it changed them. */
  readonly layers: readonly string[] | undefined;
  /** Layers that may be in memory only, and the sockets of those who hold them. */
  readonly keepers: readonly string[];
  /** Of a VM on an image: what of the disk is seen, and where. The image is the lowest layer then. */
  readonly parts?: readonly string[];
}

/** One in memory, with nothing below. */
export const EMPTY_DISK: VmDisk = { name: undefined, generation: 0, layers: [], keepers: [] };

/** A layer that holds everything of those below it, once it is copied. */
export const WHOLE = "w-";

/** The socket of who holds the layer. */
export function keeperOf(keepers: readonly string[], layer: string): string | undefined {
  return keepers.find((each) => each.startsWith(`${layer} `))?.slice(layer.length + 1);
}
