/** The version of what `Relay` writes down. */
export const RELAY_STATE_VERSION = 1;
