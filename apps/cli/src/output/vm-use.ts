import type { VmInfo, VmStats } from "@agentos/client";

const UNITS = ["B", "K", "M", "G", "T"] as const;
type Limit = VmInfo["limits"]["pids"];

/** `12M/4.0G`: what is used, of what may be. `-` is unknown; a limit in brackets is not held hard; without one only the use. */
export function formatUse(
  used: number | null | undefined,
  { value, enforcement }: Limit,
  format: (amount: number) => string,
): string {
  const shown = used === null || used === undefined ? "-" : format(used);
  if (value === null) return shown;
  return enforcement === "hard" ? `${shown}/${format(value)}` : `${shown}/(${format(value)})`;
}

/** `812B`, `4.0G`, `12M`: short enough for a column. */
export function formatSize(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(4, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${power === 0 || value >= 9.95 ? Math.round(value) : value.toFixed(1)}${UNITS[power]}`;
}

/** A VM, with what it uses where that was asked; null: it ended meanwhile. */
export interface VmWithUse extends VmInfo {
  readonly use: VmStats | null;
}
