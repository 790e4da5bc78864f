import { lstat, realpath } from "node:fs/promises";

import { DEFAULTS } from "@agentos/protocol";

import type { VmAdmin } from "../leases/vm-admin.ts";
import { ExclusionRules } from "./exclusion-rules.ts";
import type { UploadOptions } from "./file-options.ts";
import { HostPack } from "./pack-host.ts";
import { emptyTransfer, fileTypeOf, type TransferResult } from "./transfer-result.ts";
import { BuiltinProcess } from "./builtin-process.ts";

/** Copies a file or a tree of the host into a VM, as one stream. A link named at the top is followed, those below are kept. */
export async function upload(
  admin: VmAdmin,
  hostPath: string,
  vmPath: string,
  options: UploadOptions,
): Promise<TransferResult> {
  const result = emptyTransfer();
  const source = await realpath(hostPath);
  const stat = await lstat(source);
  if (!stat.isDirectory() && !stat.isFile()) {
    result.skipped.push({ path: source, type: fileTypeOf(stat) });
    return result;
  }
  let failure: { error: unknown } | undefined;
  const pack = new HostPack(new ExclusionRules(options), result);
  async function* bytes(): AsyncGenerator<Uint8Array, void> {
    try {
      yield* pack.bytes(source);
    } catch (error) {
      // Without its end, the stream is no tree for the other side either.
      failure = { error };
      throw error;
    }
  }
  const { signal } = options;
  const process = await BuiltinProcess.start({
    admin,
    operation: "fs.upload",
    vmPath,
    ask: (connection, identity) => connection.request("fs.unpack", identity),
    windowBytes: DEFAULTS.transferWindowBytes,
    signal,
    stdin: bytes(),
  });
  try {
    await process.finished();
  } catch (error) {
    throw failure === undefined ? error : failure.error;
  }
  return result;
}
