import { AgentOs, isAgentOsError } from "@agentos/client";

import type { GlobalOptions } from "../../command-context.ts";
import { EXIT_CODE } from "../../exit-code.ts";
import { Interrupts } from "../../guest/interrupts.ts";
import type { Io } from "../../io.ts";
import { write, writeJson } from "../../output/write.ts";
import { type FileOptions, readWorkflow } from "../../workflow/read-workflow.ts";
import { formatReport } from "../../workflow/report.ts";
import { watchRun } from "../../workflow/watch-run.ts";
import { createWorkflowView } from "../../workflow/workflow-view.ts";

export interface RunOptions extends FileOptions {
  readonly dryRun?: boolean;
  readonly workflow?: string;
  readonly var?: Readonly<Record<string, string>>;
  readonly vm?: string;
  readonly copy?: string;
  readonly cwd?: string;
  readonly baseUrl?: string;
  readonly id?: string;
}

/** `agentos workflow run FILE`. */
export async function run(
  io: Io,
  globals: GlobalOptions,
  file: string,
  options: RunOptions,
): Promise<number> {
  using interrupts = new Interrupts(io.signals);
  const { pool, json = false } = globals;
  const { input, customSteps } = await readWorkflow(io, file, options);
  const checked = {
    ...(options.workflow === undefined ? {} : { workflow: options.workflow }),
    ...(options.var === undefined ? {} : { vars: options.var }),
    ...(customSteps === undefined ? {} : { customSteps }),
  };
  const report = await AgentOs.workflows({ pool }).check(input, checked);
  if (options.dryRun === true) {
    if (json) await writeJson(io.stdout, report);
    else await write(io.stdout, formatReport(report));
    return report.valid ? EXIT_CODE.ok : EXIT_CODE.usage;
  }
  await using os = await leaseVm(globals, options, interrupts.signal);
  if (options.copy !== undefined)
    await os.fs.upload(options.copy, "/workspace", { signal: interrupts.signal });
  const started = await os.workflows.run(input, {
    ...checked,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.id === undefined ? {} : { id: options.id }),
    ...providersAt(options.baseUrl, report.agents),
  });
  if (json) await writeJson(io.stdout, { event: "run", runId: started.id, vmId: os.id });
  else await write(io.stderr, `run ${started.id} in VM ${os.name ?? os.id}\n`);
  return await watchRun(started, { view: createWorkflowView(io, json), interrupts, after: 0 });
}

/** Every agent's provider at another address; the keys are those of the environment. */
function providersAt(
  baseUrl: string | undefined,
  agents: readonly { readonly runtime: string }[],
): { providers?: Record<string, { name: string; baseUrl: string }> } {
  if (baseUrl === undefined) return {};
  const runtimes = new Set(agents.map(({ runtime }) => runtime));
  const providers = [...runtimes].map((runtime) => [runtime, { name: runtime, baseUrl }]);
  return { providers: Object.fromEntries(providers) };
}

/** The VM named, made where there is none; without a name one that ends with this command. */
async function leaseVm(
  { pool }: GlobalOptions,
  { vm }: RunOptions,
  signal: AbortSignal,
): Promise<AgentOs> {
  if (vm === undefined) return await AgentOs.create({ pool, signal });
  try {
    return await AgentOs.attach(vm, { pool, signal });
  } catch (error) {
    if (!isAgentOsError(error, "NOT_FOUND")) throw error;
    return await AgentOs.create({ pool, name: vm, signal });
  }
}
