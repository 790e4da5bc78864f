import { InvalidArgumentError } from "commander";

const LAST_PORT = 65_535;

/** A port of a VM, and the one of this machine that leads there; undefined: any that is free. */
export interface PortPair {
  readonly port: number;
  readonly local: number | undefined;
}

/** PORT or PORT:LOCAL. */
export function parseForward(text: string): PortPair {
  const [port = "", local, ...more] = text.split(":");
  if (more.length > 0) throw new InvalidArgumentError("Expected PORT or PORT:LOCAL.");
  return { port: portOf(port), local: local === undefined ? undefined : portOf(local) };
}

/** One more `--offer`. */
export function collectPort(text: string, ports: readonly number[] | undefined): readonly number[] {
  return [...(ports ?? []), portOf(text)];
}

function portOf(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port >= 1 && port <= LAST_PORT) return port;
  throw new InvalidArgumentError(`Expected a port from 1 to ${LAST_PORT}.`);
}
