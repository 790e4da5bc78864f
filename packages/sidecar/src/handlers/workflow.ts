import { DEFAULTS, type Handlers, type VmScope } from "@agentos/protocol";
import { listTemplates } from "@agentos/relay";

import type { HandlerContext } from "./handler-context.ts";

const BATCH_ENTRIES = 1_000;

/** Workflows: read and ended by their user, started and resumed by who holds a lease on the VM. */
export function workflowHandlers(context: HandlerContext): Handlers {
  const { workflows, host, holder, callbacks, asker } = context;
  const { user } = holder;
  const held = ({ vmId, fence }: VmScope): VmScope & { user: string } => {
    host.access(holder, { vmId, fence });
    return { user, vmId, fence };
  };
  return {
    "workflow.check": ({ source }) => workflows.check(source),
    "workflow.templates": () => ({ templates: listTemplates() }),
    "workflow.run": ({ vmId, fence, ...request }) => {
      const holding = held({ vmId, fence });
      // Before it starts: its first step may be one of them.
      callbacks.bind(user, request.runId, request.source.functions ?? [], asker);
      return workflows.run(holding, request);
    },
    "workflow.list": (filter) => ({ runs: workflows.list(user, filter) }),
    "workflow.show": ({ runId }) => workflows.show(user, runId),
    "workflow.step": ({ runId, step }) => workflows.step(user, runId, step),
    "workflow.events": async ({ runId, after, limit = BATCH_ENTRIES, waitMs = 0 }, { signal }) => {
      const record = workflows.record(user, runId);
      const batch = { after, limit, maxBytes: DEFAULTS.eventBatchBytes };
      const isOpen = workflows.isLive(record);
      const events = [...(await record.read(batch, isOpen ? waitMs : 0, signal))];
      const seen = events.at(-1)?.seq ?? after;
      return { events, ended: !workflows.isLive(record) && seen >= record.run.lastSeq };
    },
    "workflow.pause": ({ runId }) => workflows.pause(user, runId),
    "workflow.resume": ({ runId, ...scope }) => workflows.resume(held(scope), runId),
    "workflow.abort": ({ runId }) => workflows.abort(user, runId),
    "workflow.handle": ({ runId, callbacks: names, ...scope }) => {
      held(scope);
      workflows.record(user, runId);
      callbacks.bind(user, runId, names, asker);
      return {};
    },
  };
}
