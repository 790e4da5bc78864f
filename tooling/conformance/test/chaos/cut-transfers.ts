import { createHash } from "node:crypto";

import { CuttingProxy } from "./cutting-proxy.ts";
import type { Pool } from "./pool.ts";
import { bytesOf, type Random } from "./random.ts";

const PIECE_BYTES = 300_000;
/** Of what goes both ways: the cuts are over before it is. */
const CUT_SHARE = 0.8;

export interface CutTransfers {
  /** Bytes each way. */
  bytes: number;
  cuts: number;
  random: Random;
}

export interface Transferred {
  cuts: number;
  /** SHA-256 of what was sent, and of what the VM has; of what the VM had, and of what came. */
  up: [string, string];
  down: [string, string];
}

/** Writes a file into a VM and reads another one out of it at the same time, over a connection that is cut again and again. */
export async function cutTransfers(
  pool: Pool,
  { bytes, cuts, random }: CutTransfers,
): Promise<Transferred> {
  await (await pool.sidecar()).keep(true);
  await (await pool.sidecar()).dispose();
  await using proxy = await CuttingProxy.before(pool.folder);
  await using os = await pool.create();
  const made = await os.exec(
    `head -c ${bytes} /dev/urandom > /workspace/down; sha256sum < /workspace/down`,
  );
  const stretch = (CUT_SHARE * 2 * bytes) / cuts;
  proxy.cutAfter(() => (proxy.cuts < cuts ? Math.ceil(2 * random() * stretch) : Infinity));
  const sent = createHash("sha256");
  const came = createHash("sha256");
  await Promise.all([
    os.fs.writeFile(
      "/workspace/up",
      pieces(bytes, (piece) => sent.update(piece)),
    ),
    (async () => {
      for await (const piece of os.fs.readStream("/workspace/down")) came.update(piece);
    })(),
  ]);
  const { cuts: done } = proxy;
  proxy.cutAfter(() => Infinity);
  const has = await os.exec("sha256sum < /workspace/up");
  return {
    cuts: done,
    up: [sent.digest("hex"), hashIn(has.stdout)],
    down: [hashIn(made.stdout), came.digest("hex")],
  };
}

/** What `sha256sum` says. */
function hashIn(text: string): string {
  return text.split(" ")[0] ?? "";
}

async function* pieces(
  bytes: number,
  tell: (piece: Uint8Array) => void,
): AsyncGenerator<Uint8Array> {
  for (let at = 0, seed = 1; at < bytes; at += PIECE_BYTES, seed += 1) {
    const piece = bytesOf(Math.min(PIECE_BYTES, bytes - at), seed);
    tell(piece);
    yield piece;
  }
}
