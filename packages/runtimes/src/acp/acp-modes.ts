import type { AgentModes } from "@agentos/core";

import type { SessionResult } from "./acp-message.ts";

/** An agent's modes, and how it is told to change them. */
export interface AcpModes extends AgentModes {
  /** Undefined: by `session/set_mode`. */
  readonly option: string | undefined;
}

/**
 * What an agent says of its modes when a conversation is opened; undefined where it has none. `asksIn`: modes
 * in which it would run tools without asking are left out, for no policy would hold there.
 */
export function acpModes(
  { modes, configOptions }: SessionResult,
  asksIn: (mode: string) => boolean,
): AcpModes | undefined {
  if (modes !== null && modes !== undefined) {
    const available = modes.availableModes.filter(({ id }) => asksIn(id));
    return { current: modes.currentModeId, available, option: undefined };
  }
  const option = configOptions?.find(({ category }) => category === "mode");
  if (typeof option?.currentValue !== "string") return undefined;
  const available = (option.options ?? [])
    .filter(({ value }) => asksIn(value))
    .map(({ value, name }) => ({ id: value, name }));
  return { current: option.currentValue, available, option: option.id };
}
