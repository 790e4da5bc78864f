import { spawn } from "node:child_process";

/** A process of the host, from `spawn` to `close`: what everything is compared with. */
export function hostProcess(command: string, args: readonly string[] = []): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
    child.stdout.resume();
    child.stderr.resume();
    child.once("error", reject);
    child.once("close", () => resolve());
  });
}

/** A process of the host, from `spawn` to the first byte of its output. */
export function hostFirstByte(command: string, args: readonly string[]): Promise<number> {
  const startedAt = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "ignore"] });
    let tookMs = Number.NaN;
    child.stdout.once("data", () => {
      tookMs = performance.now() - startedAt;
    });
    child.once("error", reject);
    child.once("close", () => resolve(tookMs));
  });
}

/** Bytes of a host process's output, read to the end. */
export function hostBytes(command: string, args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "ignore"] });
    let bytes = 0;
    child.stdout.on("data", (chunk: Buffer) => {
      bytes += chunk.byteLength;
    });
    child.once("error", reject);
    child.once("close", () => resolve(bytes));
  });
}
