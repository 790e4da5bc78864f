import { type Handlers, type VmScope } from "@agentos/protocol";
import type { VmFiles } from "@agentos/core";

import type { HandlerContext } from "./handler-context.ts";
import { fileStreamHandlers } from "./fs-streams.ts";
import { treeHandlers } from "./fs-trees.ts";

const DIRECTORY_MODE = 0o755;

/** Files: every path is resolved by the VM's own agent. */
export function fsHandlers(context: HandlerContext): Handlers {
  const files = (scope: VmScope): VmFiles =>
    context.host.access(context.holder, scope).handle.files;
  return {
    ...fileStreamHandlers(context),
    ...treeHandlers(context),
    "fs.stat": async (params) => ({ stat: await files(params).stat(params.path) }),
    "fs.lstat": async (params) => ({ stat: await files(params).lstat(params.path) }),
    "fs.mkdir": (params) => {
      const { path, mode = DIRECTORY_MODE, recursive = false } = params;
      return done(files(params).mkdir(path, { mode, recursive }));
    },
    "fs.rm": (params) => {
      const { path, recursive = false, force = false } = params;
      return done(files(params).rm(path, { recursive, force }));
    },
    "fs.rename": (params) => done(files(params).rename(params.from, params.to)),
    "fs.copy": (params) => {
      const { from, to, recursive = false, overwrite = true } = params;
      return done(files(params).copy(from, to, { recursive, overwrite }));
    },
    "fs.symlink": (params) => done(files(params).symlink(params.content, params.path)),
    "fs.readlink": async (params) => ({ path: await files(params).readlink(params.path) }),
    "fs.realpath": async (params) => ({ path: await files(params).realpath(params.path) }),
    "fs.chmod": (params) => done(files(params).chmod(params.path, params.mode)),
    "fs.truncate": (params) => done(files(params).truncate(params.path, params.length)),
  };
}

async function done(effect: Promise<void>): Promise<Record<string, never>> {
  await effect;
  return {};
}
