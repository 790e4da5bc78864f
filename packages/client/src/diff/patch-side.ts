/** What a patch says of one side: its bytes, or undefined where there is no file. */
export interface PatchSide {
  readonly bytes: Uint8Array | undefined;
  /** As git writes it, such as 100644. */
  readonly mode: string | undefined;
}

export const NO_FILE: PatchSide = { bytes: undefined, mode: undefined };
