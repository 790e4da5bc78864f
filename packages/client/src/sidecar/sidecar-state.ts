import { SIDECAR_STATES, type SidecarState } from "@agentos/protocol";

/** The state as a number: 0 ready, 1 disposing, 2 disposed. */
export function encodeSidecarState(state: SidecarState): number {
  return SIDECAR_STATES.indexOf(state);
}

/** The state of a number; any number that stands for none is `disposed`. */
export function decodeSidecarState(value: number): SidecarState {
  return SIDECAR_STATES[value] ?? "disposed";
}
