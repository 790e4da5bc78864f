import { randomInt } from "node:crypto";

import type { AgentOs, Terminal } from "@agentos/client";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { CuttingProxy } from "../chaos/cutting-proxy.ts";
import { Pool } from "../chaos/pool.ts";
import { bytesOf } from "../chaos/random.ts";
import { Screen } from "./screen.ts";

const PASTE_BYTES = 512 * 1024;
let pool: Pool;

beforeEach(() => {
  pool = new Pool();
});
afterEach(async () => {
  await pool[Symbol.asyncDispose]();
});

/** A terminal that gives back each byte that is typed, and ends after `bytes`. */
async function echo(os: AgentOs, bytes: number): Promise<Terminal> {
  const command = `stty raw -echo; echo ready; head -c ${bytes}`;
  return await os.openTerminal({ command });
}

/** Types in pieces of random size, and has `disturb` called in the middle of them. */
async function typeAll(
  terminal: Terminal,
  bytes: Buffer,
  disturb: () => Promise<void> | void,
): Promise<void> {
  const disturbAt = [0.2, 0.5, 0.8].map((part) => part * bytes.length);
  for (let at = 0; at < bytes.length;) {
    if (disturbAt[0] !== undefined && at >= disturbAt[0]) {
      disturbAt.shift();
      await disturb();
    }
    const end = at + randomInt(1, 9_000);
    await terminal.write(bytes.subarray(at, end));
    at = end;
  }
}

describe("a sidecar or a connection goes away under a terminal", () => {
  test("[terminal.adopt] kill -9 of the sidecar loses no byte, in or out", async () => {
    await using os = await pool.create();
    const terminal = await echo(os, PASTE_BYTES);
    await using screen = new Screen(terminal);
    await screen.until("ready\n");
    const paste = bytesOf(PASTE_BYTES, 11);
    await typeAll(terminal, paste, () => pool.kill());
    await screen.done;
    expect(terminal.skippedBytes).toBe(0);
    expect(screen.bytes.subarray(-PASTE_BYTES).equals(paste)).toBe(true);
    expect(await terminal.exited).toMatchObject({ exitCode: 0 });
    // The next life knows it, with its size, as long as it is not disposed.
    expect(await os.terminals()).toMatchObject([{ terminalId: terminal.id, state: "exited" }]);
    await terminal[Symbol.asyncDispose]();
    expect(await os.terminals()).toEqual([]);
  });

  test("[terminal.adopt] an idle terminal, its size and its screen are the same to the next sidecar", async () => {
    await using os = await pool.create();
    await using terminal = await os.openTerminal({
      command: ["bash", "--norc", "--noprofile"],
      cols: 91,
      rows: 17,
      env: { PS1: "$ " },
    });
    await using screen = new Screen(terminal);
    await screen.until("$ ");
    await pool.kill();
    const found = await os.attachTerminal(terminal.id);
    expect(await os.terminals()).toMatchObject([{ cols: 91, rows: 17, state: "running" }]);
    expect(await found.snapshot()).toBe("$");
    await found.write("echo $((6 * 7)); exit 9\r");
    await screen.until("42\r\n");
    expect(await terminal.exited).toMatchObject({ exitCode: 9 });
    expect(await found.exited).toMatchObject({ exitCode: 9 });
  });

  test("[terminal.reattach] after dropped connections, and from another program, the output is there", async () => {
    await (await pool.sidecar()).keep(true);
    await (await pool.sidecar()).dispose();
    await using proxy = await CuttingProxy.before(pool.folder);
    await using os = await pool.create();
    const terminal = await echo(os, PASTE_BYTES);
    await using screen = new Screen(terminal);
    await screen.until("ready\n");
    const paste = bytesOf(PASTE_BYTES, 13);
    await typeAll(terminal, paste, () => proxy.cut());
    await screen.done;
    expect(proxy.cuts).toBe(3);
    expect(screen.bytes.subarray(-PASTE_BYTES).equals(paste)).toBe(true);
    const other = await os.attachTerminal(terminal.id);
    await using late = new Screen(other);
    await late.done;
    expect(late.bytes.length).toBe(256 * 1024);
    expect(late.bytes.equals(screen.bytes.subarray(-late.bytes.length))).toBe(true);
    expect(other.skippedBytes).toBe(screen.bytes.length - late.bytes.length);
    await terminal[Symbol.asyncDispose]();
  });
});
