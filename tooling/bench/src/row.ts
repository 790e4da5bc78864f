import type { Summary } from "./sample.ts";

/** A bound on a figure of a row, as the design states it. */
export interface Goal {
  readonly says: string;
  readonly figure: number;
  readonly met: boolean;
}

/** One line of the bench: a piece of work, its floor measured in the same run, and the goals. */
export interface RowResult {
  readonly row: string;
  readonly unit: string;
  readonly variants: Readonly<Record<string, Summary>>;
  readonly goals: readonly Goal[];
}

export interface RowOptions {
  /** Samples per variant. */
  readonly count: number;
}

export interface Row {
  readonly name: string;
  /** It needs what a machine may not have, as a registry: not measured unless it is named. */
  readonly onlyByName?: true;
  readonly run: (options: RowOptions) => Promise<RowResult>;
}

/** `figure` may be at most `bound`. */
export function atMost(says: string, figure: number, bound: number): Goal {
  return { says: `${says} <= ${bound}`, figure, met: figure <= bound };
}

/** `figure` must be at least `bound`. */
export function atLeast(says: string, figure: number, bound: number): Goal {
  return { says: `${says} >= ${bound}`, figure, met: figure >= bound };
}
