import type { VmPort } from "@agentos/core";
import { AgentOsError } from "@agentos/protocol";

const LAST_PORT = 65_535;
/** A unix socket's address without its NUL. */
const MAX_PATH_BYTES = 107;

/** A port for people. */
export function portText(port: VmPort): string {
  if ("path" in port) return port.path;
  return port.address === undefined ? String(port.port) : `${port.address}:${port.port}`;
}

/** The port, or throws `INVALID_ARGUMENT` for one that is none. `lowest` is 0 or 1. */
export function checkedPort(port: VmPort, lowest: 0 | 1): VmPort {
  if ("port" in port) {
    const { port: number } = port;
    if (Number.isInteger(number) && number >= lowest && number <= LAST_PORT) return port;
    throw invalid("port", `a whole number from ${lowest} to ${LAST_PORT}`, String(number));
  }
  const { path } = port;
  const bytes = Buffer.byteLength(path);
  if (path.startsWith("/") && !path.includes("\0") && bytes <= MAX_PATH_BYTES) return port;
  throw invalid(
    "path",
    `an absolute path of at most ${MAX_PATH_BYTES} bytes`,
    JSON.stringify(path.slice(0, MAX_PATH_BYTES)),
  );
}

/** `u16 port, path`, where a path has port 0; or `u16 port` and the four bytes of an address. */
export function encodePort(port: VmPort): Uint8Array {
  if ("port" in port && port.address !== undefined) {
    const address = Buffer.from([0, 0, ...port.address.split(".").map(Number)]);
    address.writeUInt16LE(port.port);
    return address;
  }
  const path = Buffer.from("path" in port ? port.path : "");
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE("port" in port ? port.port : 0);
  return Buffer.concat([bytes, path]);
}

function invalid(
  argument: string,
  expected: string,
  actual: string,
): AgentOsError<"INVALID_ARGUMENT"> {
  const message = `${argument}: expected ${expected}, got ${actual}`;
  return new AgentOsError("INVALID_ARGUMENT", message, { argument, expected, actual });
}
