import { DEFAULTS, TreeReader } from "@agentos/protocol";

import type { VmAdmin } from "../leases/vm-admin.ts";
import { ExclusionRules } from "./exclusion-rules.ts";
import type { TransferOptions } from "./file-options.ts";
import { Pace } from "./pace.ts";
import { emptyTransfer, type TransferResult } from "./transfer-result.ts";
import { BuiltinProcess, interrupted } from "./builtin-process.ts";
import { HostUnpack } from "./unpack-host.ts";

/** Copies a file or a tree of a VM to the host, as one stream. What the guest made of names and links decides nothing about where on the host it goes. */
export async function download(
  admin: VmAdmin,
  vmPath: string,
  hostPath: string,
  options: TransferOptions,
): Promise<TransferResult> {
  const result = emptyTransfer();
  const process = await BuiltinProcess.start({
    admin,
    operation: "fs.download",
    vmPath,
    ask: (connection, identity) => connection.request("fs.pack", identity),
    windowBytes: DEFAULTS.transferWindowBytes,
    signal: options.signal,
  });
  const rules = new ExclusionRules(options);
  using unpack = new HostUnpack({ vmPath, hostPath, rules, result });
  const reader = new TreeReader();
  const pace = new Pace();
  try {
    for await (const chunk of process.stdout) {
      for (const record of reader.push(chunk)) {
        const writing = unpack.take(record);
        if (writing !== undefined) await writing;
        if (pace.isDue) await pace.breathe();
      }
    }
    // What went wrong over there says more than that the stream was cut.
    await process.finished();
    if (!reader.hasEnded) throw interrupted(vmPath, "its stream ended early");
    return result;
  } catch (error) {
    await process.abandon();
    throw error;
  }
}
