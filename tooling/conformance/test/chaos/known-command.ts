import type { AgentOs } from "@agentos/client";

import { bytesOf, type Random } from "./random.ts";

/** A command whose every byte and end are known before it runs. */
export interface KnownCommand {
  readonly script: string;
  readonly stdin?: Buffer;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  readonly exitCode: number | null;
  readonly signal: string | null;
}

const lines = (word: string, count: number): Buffer =>
  Buffer.from(Array.from({ length: count }, (_, line) => `${word} ${line}\n`).join(""));

/** Writes both channels line by line, for a while. */
function slow(random: Random): KnownCommand {
  const count = 20 + Math.floor(random() * 60);
  const exitCode = Math.floor(random() * 100);
  const script = `i=0; while [ $i -lt ${count} ]; do echo out $i; echo err $i >&2; i=$((i+1)); sleep 0.00${1 + Math.floor(random() * 8)}; done; exit ${exitCode}`;
  return {
    script,
    stdout: lines("out", count),
    stderr: lines("err", count),
    exitCode,
    signal: null,
  };
}

/** More than several windows, as fast as it is taken. */
function bulk(random: Random): KnownCommand {
  const count = 50_000 + Math.floor(random() * 200_000);
  const text = Array.from({ length: count }, (_, line) => `${line + 1}\n`).join("");
  const stdout = Buffer.from(text);
  return {
    script: `seq 1 ${count}; exit 3`,
    stdout,
    stderr: Buffer.alloc(0),
    exitCode: 3,
    signal: null,
  };
}

/** Gives back what it is given. */
function echo(random: Random): KnownCommand {
  const stdin = bytesOf(1 + Math.floor(random() * 1_500_000), Math.floor(random() * 1e9));
  return {
    script: "cat; exit 4",
    stdin,
    stdout: stdin,
    stderr: Buffer.alloc(0),
    exitCode: 4,
    signal: null,
  };
}

/** Ends by a signal, after a while, with the last words still in the pipe. */
function signalled(random: Random): KnownCommand {
  const script = `sleep 0.${Math.floor(random() * 3)}${Math.floor(random() * 10)}; echo last; kill -TERM $$`;
  return {
    script,
    stdout: Buffer.from("last\n"),
    stderr: Buffer.alloc(0),
    exitCode: null,
    signal: "SIGTERM",
  };
}

/** Over before most others begin. */
function quick(): KnownCommand {
  return {
    script: "echo quick; exit 9",
    stdout: Buffer.from("quick\n"),
    stderr: Buffer.alloc(0),
    exitCode: 9,
    signal: null,
  };
}

const KINDS = [slow, bulk, echo, signalled, quick];

/** Some of each kind. */
export function knownCommands(count: number, random: Random): KnownCommand[] {
  return Array.from({ length: count }, (_, index) =>
    (KINDS[index % KINDS.length] ?? quick)(random),
  );
}

/** Runs it, marks in the VM's file `ran` that it did, and says what was not as known; undefined: all was. */
export async function differenceOf(
  os: AgentOs,
  mark: string,
  known: KnownCommand,
): Promise<string | undefined> {
  const { script, stdin, exitCode, signal } = known;
  try {
    const result = await os.exec(`echo ${mark} >> /workspace/ran; ${script}`, {
      encoding: "buffer",
      ...(stdin === undefined ? {} : { stdin }),
    });
    const differences = [
      result.exitCode === exitCode ? [] : `exit code ${result.exitCode}, not ${exitCode}`,
      result.signal === signal ? [] : `signal ${result.signal}, not ${signal}`,
      bytesDiffer("stdout", Buffer.from(result.stdout), known.stdout),
      bytesDiffer("stderr", Buffer.from(result.stderr), known.stderr),
    ].flat();
    if (differences.length === 0) return undefined;
    return `${mark} (${script.slice(0, 20)}): ${differences.join(", ")}`;
  } catch (error) {
    return `${mark} (${script.slice(0, 20)}): ${String(error)}`;
  }
}

function bytesDiffer(name: string, seen: Buffer, expected: Buffer): string[] {
  if (seen.equals(expected)) return [];
  const at = seen.findIndex((byte, index) => byte !== expected[index]);
  return [`${name}: ${seen.length} bytes, not ${expected.length}, first other one at ${at}`];
}
