import { AgentOsError } from "@agentos/protocol";

import type { KeptOutput } from "./terminal-look.ts";

const PACKAGE = "@xterm/headless";
const ESCAPE = 0x1b;
const LINE_FEED = 0x0a;
/** Where the size is not known any more. */
const USUAL = { cols: 80, rows: 24 };
const TO_ALTERNATE_SCREEN = "\u001b[?1049h";
const FROM_ALTERNATE_SCREEN = "\u001b[?1049l";

/** The screen that the output makes, as text. Rejects with `UNSUPPORTED` where the emulator is not installed. */
export async function screenText({ bytes, isCut, size }: KeptOutput): Promise<string> {
  const Emulator = await loadEmulator();
  const { cols, rows } = size.cols > 0 ? size : USUAL;
  const emulator = new Emulator({ cols, rows, scrollback: 0, allowProposedApi: true });
  try {
    if (isCut && beganOnAlternateScreen(bytes)) emulator.write(TO_ALTERNATE_SCREEN);
    await new Promise<void>((resolve) => emulator.write(isCut ? wholeFrom(bytes) : bytes, resolve));
    const { active } = emulator.buffer;
    const lines = Array.from({ length: rows }, (_, row) =>
      (active.getLine(active.baseY + row)?.translateToString(true) ?? "").trimEnd(),
    );
    return lines.join("\n").trimEnd();
  } finally {
    emulator.dispose();
  }
}

async function loadEmulator() {
  try {
    // Large, and wanted by few: only when it is used.
    const { default: xterm } = await import("@xterm/headless");
    return xterm.Terminal;
  } catch (cause) {
    const instead = `npm install ${PACKAGE}`;
    const message = `snapshot() needs the package ${PACKAGE}: ${instead}`;
    throw new AgentOsError("UNSUPPORTED", message, { what: "snapshot", instead }, { cause });
  }
}

/** Output that lost its beginning may start within a character or a control sequence. */
function wholeFrom(bytes: Uint8Array): Uint8Array {
  const start = bytes.findIndex((byte) => byte === ESCAPE || byte === LINE_FEED);
  return bytes.subarray(Math.max(0, start));
}

/** What was lost went to the alternate screen where the rest leaves it first. */
function beganOnAlternateScreen(bytes: Uint8Array): boolean {
  const output = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const leaves = output.indexOf(FROM_ALTERNATE_SCREEN);
  const enters = output.indexOf(TO_ALTERNATE_SCREEN);
  return leaves !== -1 && (enters === -1 || leaves < enters);
}
