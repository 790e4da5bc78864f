import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, readSync } from "node:fs";
import { setImmediate } from "node:timers/promises";

import type { AgentOs } from "@agentos/client";

const PAGE_BYTES = 4_096;
const ENTRY_BYTES = 8;
/** Looked at in one piece; two pieces share enough for a word that begins in the first. */
const PIECE_PAGES = 4_096;
const MAP_PAGES = 64 * 1_024;
const NOTHING = Buffer.alloc(MAP_PAGES * ENTRY_BYTES);
const PRESENT = 0x80;
const YIELD_BYTES = 32 * 1_024 * 1_024;
const REGION = /^([0-9a-f]+)-([0-9a-f]+) rw.*\n(?:(?!Rss:)[A-Z].*\n)*Rss: +(\d+) kB/gm;
const OVERLAP_BYTES = 256;

interface Region {
  readonly from: number;
  readonly to: number;
  /** Pages of it that are there. */
  readonly present: number;
}

/** Looks through the memory of every process of a VM, from the host, as root. Resolves with which of the words are there. */
export async function wordsInMemory(os: AgentOs, words: readonly string[]): Promise<string[]> {
  const pids = await pidsOf(os);
  const found = new Set<string>();
  for (const pid of pids) {
    // oxlint-disable-next-line no-await-in-loop -- One process after the other.
    for (const word of await wordsOf(pid, words)) found.add(word);
  }
  return [...found];
}

/** On the host: they share the VM's PID namespace. */
async function pidsOf(os: AgentOs): Promise<number[]> {
  const { stdout } = await os.exec(["readlink", "/proc/self/ns/pid"]);
  const namespace = stdout.trim();
  return readdirSync("/proc")
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && namespaceOf(pid) === namespace);
}

function namespaceOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    // It is gone.
    return undefined;
  }
}

async function wordsOf(pid: number, words: readonly string[]): Promise<string[]> {
  const memory = openSync(`/proc/${pid}/mem`, "r");
  const pages = openSync(`/proc/${pid}/pagemap`, "r");
  try {
    const left = new Set(words);
    const found: string[] = [];
    let read = 0;
    for (const region of writableRegions(pid)) {
      for (const piece of presentPieces(memory, pages, region)) {
        read += piece.byteLength;
        // What else this process does must not stand still for it.
        // oxlint-disable-next-line no-await-in-loop -- One piece after the other.
        if (read > YIELD_BYTES) await setImmediate();
        if (read > YIELD_BYTES) read = 0;
        for (const word of left) {
          if (!piece.includes(word)) continue;
          left.delete(word);
          found.push(word);
        }
      }
    }
    return found;
  } finally {
    closeSync(memory);
    closeSync(pages);
  }
}

/** Those that have any page. */
function writableRegions(pid: number): Region[] {
  const maps = readFileSync(`/proc/${pid}/smaps`, "utf8");
  const all = [...maps.matchAll(REGION)].map(([, from = "", to = "", kib]) => ({
    from: Number.parseInt(from, 16),
    to: Number.parseInt(to, 16),
    present: (Number(kib) * 1_024) / PAGE_BYTES,
  }));
  return all.filter(({ present }) => present > 0);
}

/** Runs of pages that are there: programs reserve far more than they use. */
function* presentPieces(memory: number, pages: number, { from, to, present }: Region) {
  let left = present;
  const map = Buffer.alloc(MAP_PAGES * ENTRY_BYTES);
  const bytes = Buffer.alloc(PIECE_PAGES * PAGE_BYTES + OVERLAP_BYTES);
  for (let at = from; at < to && left > 0; at += MAP_PAGES * PAGE_BYTES) {
    const count = Math.min(MAP_PAGES, (to - at) / PAGE_BYTES);
    const entries = map.subarray(0, count * ENTRY_BYTES);
    readSync(pages, entries, 0, entries.byteLength, (at / PAGE_BYTES) * ENTRY_BYTES);
    if (entries.equals(NOTHING.subarray(0, entries.byteLength))) continue;
    for (let page = 0; page < count; page += 1) {
      const first = page;
      while (page < count && page - first < PIECE_PAGES && isPresent(map, page)) page += 1;
      if (page === first) continue;
      const start = at + first * PAGE_BYTES;
      const length = Math.min((page - first) * PAGE_BYTES + OVERLAP_BYTES, to - start);
      left -= page - first;
      page -= 1;
      yield bytes.subarray(0, readSync(memory, bytes, 0, length, start));
    }
  }
}

function isPresent(map: Buffer, page: number): boolean {
  return ((map[page * ENTRY_BYTES + ENTRY_BYTES - 1] ?? 0) & PRESENT) !== 0;
}
