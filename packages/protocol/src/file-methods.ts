import {
  ChmodParams,
  CopyParams,
  MkdirParams,
  PathParams,
  PathResult,
  ReaddirParams,
  ReadParams,
  RenameParams,
  RmParams,
  StatResult,
  SymlinkParams,
  ListParams,
  TreeParams,
  TruncateParams,
  WatchParams,
  WriteParams,
  WriteResult,
} from "./file.ts";
import { Nothing } from "./nothing.ts";
import { ProcessStarted } from "./process.ts";

/** The methods about files; a part of METHODS. */
export const FILE_METHODS = {
  "fs.stat": {
    scope: "vm",
    summary: "A file's facts, links followed.",
    params: PathParams,
    result: StatResult,
  },
  "fs.lstat": {
    scope: "vm",
    summary: "A file's facts, a link's own.",
    params: PathParams,
    result: StatResult,
  },
  "fs.mkdir": { scope: "vm", summary: "Make a directory.", params: MkdirParams, result: Nothing },
  "fs.rm": { scope: "vm", summary: "Remove a file or a tree.", params: RmParams, result: Nothing },
  "fs.rename": {
    scope: "vm",
    summary: "Rename within one filesystem.",
    params: RenameParams,
    result: Nothing,
  },
  "fs.copy": {
    scope: "vm",
    summary: "Copy a file or a tree.",
    params: CopyParams,
    result: Nothing,
  },
  "fs.symlink": {
    scope: "vm",
    summary: "Make a symbolic link.",
    params: SymlinkParams,
    result: Nothing,
  },
  "fs.readlink": {
    scope: "vm",
    summary: "What a link says.",
    params: PathParams,
    result: PathResult,
  },
  "fs.realpath": {
    scope: "vm",
    summary: "The path with every link resolved.",
    params: PathParams,
    result: PathResult,
  },
  "fs.chmod": {
    scope: "vm",
    summary: "Set permission bits.",
    params: ChmodParams,
    result: Nothing,
  },
  "fs.truncate": {
    scope: "vm",
    summary: "Set a file's length.",
    params: TruncateParams,
    result: Nothing,
  },
  "fs.read": {
    scope: "vm",
    summary: "Read a file on `stream`; answered with its facts when the stream begins.",
    params: ReadParams,
    result: StatResult,
  },
  "fs.readdir": {
    scope: "vm",
    summary: "List a directory on `stream`, in packed entries.",
    params: ReaddirParams,
    result: StatResult,
  },
  "fs.write": {
    scope: "vm",
    summary: "Write a file from `stream`; answered when its end has been written.",
    params: WriteParams,
    result: WriteResult,
  },
  "fs.pack": {
    scope: "vm",
    summary:
      "Read a file or a tree as one tree stream from stdout. `process.exited` tells its end; what failed is on stderr.",
    params: TreeParams,
    result: ProcessStarted,
  },
  "fs.unpack": {
    scope: "vm",
    summary:
      "Write a file or a tree from one tree stream on stdin. `process.exited` tells its end; what failed is on stderr.",
    params: TreeParams,
    result: ProcessStarted,
  },
  "fs.list": {
    scope: "vm",
    summary:
      "List everything below a directory on stdout, as one list stream. `process.exited` tells its end; what failed is on stderr.",
    params: ListParams,
    result: ProcessStarted,
  },
  "fs.watch": {
    scope: "vm",
    summary:
      "Tell on stdout what happens at a path and directly in it, or everywhere below. It ends with its release.",
    params: WatchParams,
    result: ProcessStarted,
  },
} as const;
