import { FRAME_KIND, FRAME_MAX_PAYLOAD_BYTES } from "@agentos/protocol";

/** The frame kinds of docs/vmd-link.md. */
export const LINK_KIND = {
  create: 0x01,
  watch: 0x02,
  kill: 0x03,
  config: 0x04,
  hello: 0x05,
  prepare: 0x06,
  keep: 0x07,
  snapshot: 0x08,
  layer: 0x09,
  adjust: 0x0a,
  exec: 0x10,
  dataIn: FRAME_KIND.dataIn,
  eofIn: FRAME_KIND.eofIn,
  ack: FRAME_KIND.ack,
  signal: 0x14,
  release: 0x15,
  table: 0x16,
  ping: 0x18,
  processes: 0x19,
  shutdown: 0x1a,
  resume: 0x1b,
  readLog: 0x1c,
  file: 0x20,
  resize: 0x30,
  attach: 0x31,
  connect: 0x40,
  listen: 0x41,
  take: 0x42,
  refuse: 0x43,
  launched: 0x80,
  ready: 0x81,
  fail: FRAME_KIND.fail,
  gone: 0x83,
  live: 0x84,
  end: FRAME_KIND.end,
  memory: 0x86,
  snapped: 0x8a,
  copied: 0x8b,
  adjusted: 0x8c,
  started: 0x90,
  inAck: FRAME_KIND.inAck,
  out: FRAME_KIND.out,
  err: FRAME_KIND.err,
  exit: 0x95,
  tableEntry: 0x96,
  resumed: 0x97,
  pong: 0x98,
  processList: 0x99,
  fileResult: 0xa0,
  attached: 0xb0,
  connected: 0xc0,
  listening: 0xc1,
  incoming: 0xc2,
} as const;

/** The field tags of docs/vmd-link.md. */
export const FIELD = {
  vmId: 1,
  secret: 2,
  epoch: 3,
  socketPath: 4,
  hostUid: 5,
  hostGid: 6,
  adoptGraceMs: 7,
  cgroup: 8,
  copyTo: 9,
  snapshotFlags: 10,
  hostname: 20,
  rootBytes: 21,
  rootInodes: 22,
  diskBytes: 23,
  diskInodes: 24,
  shmBytes: 25,
  system: 26,
  link: 27,
  file: 28,
  mount: 29,
  openFiles: 30,
  pids: 31,
  disk: 34,
  generation: 35,
  layer: 36,
  part: 37,
  profile: 32,
  processors: 33,
  watches: 38,
  cover: 39,
  id: 40,
  arg: 41,
  env: 42,
  cwd: 43,
  flags: 44,
  window: 45,
  timeoutMs: 46,
  stdinWindow: 47,
  cols: 48,
  rows: 49,
  op: 60,
  path: 61,
  path2: 62,
  mode: 63,
  length: 64,
  start: 65,
  fileFlags: 66,
  stat: 80,
} as const;

/** Version of docs/vmd-link.md that this build speaks, and has a vmd for. */
export const LINK_VERSION = 3;

/** Versions of VMs that it can adopt. */
export const LINK_VERSIONS: readonly number[] = [LINK_VERSION, 2];

/** From this version on a VM says which walls it has. */
export const WALLS_VERSION = 3;

/** What a frame of one kind may hold, and whether its pieces are passed on as they come. */
interface KindRule {
  readonly maxPayloadBytes: number;
  readonly piecewise: boolean;
}

export type KindRules = ReadonlyMap<number, KindRule>;

const STEP_BYTES = 256;
const PROCESS_LIST_BYTES = 1 + 2048 * 303;
const TABLE_ENTRY_BYTES = 46 + 64;
const FILE_RESULT_BYTES = 8192;

const whole = (maxPayloadBytes: number): KindRule => ({ maxPayloadBytes, piecewise: false });
const data: KindRule = { maxPayloadBytes: FRAME_MAX_PAYLOAD_BYTES, piecewise: true };

/** What PID 1 may send. */
export const VM_KINDS: KindRules = new Map([
  [LINK_KIND.launched, whole(4)],
  [LINK_KIND.ready, whole(8)],
  [LINK_KIND.fail, whole(4 + STEP_BYTES)],
  [LINK_KIND.end, whole(1)],
  [LINK_KIND.started, whole(4)],
  [LINK_KIND.inAck, whole(0)],
  [LINK_KIND.out, data],
  [LINK_KIND.err, data],
  [LINK_KIND.exit, whole(31)],
  [LINK_KIND.tableEntry, whole(TABLE_ENTRY_BYTES)],
  [LINK_KIND.resumed, whole(0)],
  [LINK_KIND.pong, whole(0)],
  [LINK_KIND.processList, whole(PROCESS_LIST_BYTES)],
  [LINK_KIND.fileResult, whole(FILE_RESULT_BYTES)],
  [LINK_KIND.attached, whole(20)],
  [LINK_KIND.connected, whole(0)],
  [LINK_KIND.listening, whole(2)],
  [LINK_KIND.incoming, whole(4)],
]);

/** What the spawner may send to a watcher, and to who asks for a kill. */
export const SPAWNER_KINDS: KindRules = new Map([
  [LINK_KIND.fail, whole(4 + STEP_BYTES)],
  [LINK_KIND.gone, whole(64)],
  [LINK_KIND.live, whole(64)],
  [LINK_KIND.memory, whole(64)],
  [LINK_KIND.end, whole(1)],
]);

/** What who takes a snapshot is told, by the spawner or the keeper. */
export const KEEPER_KINDS: KindRules = new Map([
  [LINK_KIND.fail, whole(4 + STEP_BYTES)],
  [LINK_KIND.snapped, whole(5)],
  [LINK_KIND.copied, whole(16)],
]);

/** What who changes a live VM is told. */
export const ADJUSTER_KINDS: KindRules = new Map([
  [LINK_KIND.fail, whole(4 + STEP_BYTES)],
  [LINK_KIND.adjusted, whole(0)],
]);
