import { EventEmitter } from "node:events";
import { PassThrough, Writable } from "node:stream";

import type { Io } from "../src/io.ts";

/** Surroundings in memory. */
export interface FakeIo extends Io {
  readonly signals: EventEmitter;
  /** What was written so far. */
  readonly printed: { stdout: string; stderr: string };
}

export function createFakeIo(overrides: Partial<Pick<Io, "env" | "directory">> = {}): FakeIo {
  const printed = { stdout: "", stderr: "" };
  const into = (channel: "stdout" | "stderr") =>
    new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        printed[channel] += chunk.toString("utf8");
        done();
      },
    });
  return {
    stdin: new PassThrough(),
    stdout: into("stdout"),
    stderr: into("stderr"),
    env: {},
    directory: "/",
    signals: new EventEmitter(),
    printed,
    ...overrides,
  };
}
