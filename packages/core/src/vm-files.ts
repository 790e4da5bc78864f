import type { FileStat } from "@agentos/protocol";

import type { FrameSink, FrameSource } from "./frame-sink.ts";

export interface ReadRequest {
  path: string;
  start: number;
  /** Undefined: to the end. */
  length?: number;
  windowBytes: number;
}

export interface WriteRequest {
  path: string;
  mode: number;
  start: number;
  how: "truncate" | "append" | "exclusive" | "keep";
  windowBytes: number;
}

export interface VmWrite extends FrameSource {
  /** Resolves with the file's size once the end of the stream has been written. */
  readonly written: Promise<{ size: number }>;
}

/** File operations, done inside the VM by its own agent: no path here is ever resolved on the host. */
export interface VmFiles {
  stat(path: string): Promise<FileStat>;
  lstat(path: string): Promise<FileStat>;
  mkdir(path: string, options: { mode: number; recursive: boolean }): Promise<void>;
  rm(path: string, options: { recursive: boolean; force: boolean }): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  copy(
    from: string,
    to: string,
    options: { recursive: boolean; overwrite: boolean },
  ): Promise<void>;
  symlink(content: string, path: string): Promise<void>;
  readlink(path: string): Promise<string>;
  realpath(path: string): Promise<string>;
  chmod(path: string, mode: number): Promise<void>;
  truncate(path: string, length: number): Promise<void>;
  read(request: ReadRequest, sink: FrameSink): Promise<{ stat: FileStat; stream: FrameSource }>;
  readdir(path: string, sink: FrameSink): Promise<{ stat: FileStat; stream: FrameSource }>;
  write(request: WriteRequest, sink: FrameSink): VmWrite;
}
