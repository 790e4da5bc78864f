/** What a behaviour of VMs can be tried on. */
export type DriverName = "linux" | "virtual";

/** One public behaviour, and the id that tests claim as `[id]` at the start of their title. */
export interface Requirement {
  readonly id: string;
  /** Where the rule comes from. */
  readonly source: string;
  readonly statement: string;
  /** The driver without which it can't be tried. */
  readonly needs?: DriverName;
  /** The drivers that it holds on. Undefined: it is no matter of drivers. */
  readonly drivers?: readonly DriverName[];
  /** What is different on the virtual driver. Default: nothing. */
  readonly virtually?: string;
  /** What holds instead when the sidecar's user is not root. Default: the same. */
  readonly ordinaryUser?: string;
}

/** Rows of one source, as `id: statement`. */
export function rows(
  source: string,
  statements: Readonly<Record<string, string>>,
  needs?: DriverName,
): Requirement[] {
  return Object.entries(statements).map(([id, statement]) => ({
    id,
    source,
    statement,
    ...(needs === undefined ? {} : { needs }),
  }));
}
