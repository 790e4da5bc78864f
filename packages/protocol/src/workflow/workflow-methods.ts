import * as z from "zod";

import { Fence, Id, VmId, VmPath } from "../ids.ts";
import { Nothing } from "../nothing.ts";
import { CallbackName } from "../session/policy.ts";
import { SessionSpec } from "../session/session-spec.ts";
import { VmScope } from "../vm.ts";
import { WorkflowDefinition } from "./workflow-definition.ts";
import { WorkflowName } from "./workflow-names.ts";
import {
  WorkflowEvent,
  WorkflowReport,
  WorkflowRunInfo,
  WorkflowRunSummary,
  WorkflowStepInfo,
} from "./workflow-run.ts";
import { CustomSteps } from "./workflow-step.ts";

const RunRef = z.object({ runId: Id });
/** A file's text, as YAML or JSON. */
const Text = z.string().max(1_000_000);

/** What is to run, as a client says it. */
export const WorkflowSource = z.strictObject({
  /** What it is: an object, a file's text, or a template's name. */
  workflow: z.union([
    z.strictObject({ definition: WorkflowDefinition }),
    z.strictObject({ text: Text }),
    z.strictObject({ template: z.string().min(1).max(64) }),
  ]),
  /** Which of the definition's workflows. Default the first. */
  name: WorkflowName.optional(),
  /** What `{{name}}` stands for. */
  vars: z.record(WorkflowName, z.string().max(262_144)).optional(),
  /** What `use` names. */
  customSteps: z
    .union([z.strictObject({ definition: CustomSteps }), z.strictObject({ text: Text })])
    .optional(),
  /** Functions that the client runs as steps or verifications. */
  functions: z.array(WorkflowName).max(256).optional(),
});
export type WorkflowSource = z.infer<typeof WorkflowSource>;

/** The methods of workflows; a part of METHODS. */
export const WORKFLOW_METHODS = {
  "workflow.check": {
    scope: "user",
    summary: "Say what a workflow would do, without doing anything.",
    params: z.object({ source: WorkflowSource }),
    result: WorkflowReport,
  },
  "workflow.run": {
    scope: "vm",
    summary:
      "Start a workflow in the VM; answered once it is stored. The same runId again is the same run.",
    params: VmScope.extend({
      runId: Id,
      source: WorkflowSource,
      /** Where relative paths begin. Default /workspace. */
      cwd: VmPath.optional(),
      /** Of agents' models, by the agent's name, its runtime, or `*`. Kept sealed, as in a session. */
      providers: z
        .record(z.string().min(1).max(64), SessionSpec.shape.provider.unwrap())
        .optional(),
    }),
    result: WorkflowRunInfo,
  },
  "workflow.list": {
    scope: "user",
    summary: "The user's runs, the last one first.",
    params: z.object({ vmId: VmId.optional(), namespace: z.string().max(128).optional() }),
    result: z.object({ runs: z.array(WorkflowRunSummary) }),
  },
  "workflow.show": {
    scope: "user",
    summary: "One run with its steps.",
    params: RunRef,
    result: WorkflowRunInfo,
  },
  "workflow.step": {
    scope: "user",
    summary: "One step of a run, with all of its output that is kept.",
    params: RunRef.extend({ step: WorkflowName }),
    result: WorkflowStepInfo,
  },
  "workflow.events": {
    scope: "user",
    summary:
      "A run's events after a seq, a bounded batch at a time. Without any it waits for the first, up to `waitMs`.",
    params: RunRef.extend({
      after: z.int().min(0),
      limit: z.int().min(1).max(10_000).optional(),
      /** Default 0: answers at once. */
      waitMs: z.int().min(0).max(86_400_000).optional(),
    }),
    result: z.object({
      events: z.array(WorkflowEvent),
      /** Nothing will follow, unless the run is resumed. */
      ended: z.boolean(),
    }),
  },
  "workflow.pause": {
    scope: "user",
    summary: "Start no further step of a run. What runs goes on.",
    params: RunRef,
    result: WorkflowRunSummary,
  },
  "workflow.resume": {
    scope: "vm",
    summary:
      "Go on with a run that was paused, interrupted, failed or cancelled. Finished steps are not repeated.",
    params: z.object({ vmId: VmId, fence: Fence, runId: Id }),
    result: WorkflowRunSummary,
  },
  "workflow.abort": {
    scope: "user",
    summary: "End a run: its agents and commands too. Answered once they are gone.",
    params: RunRef,
    result: WorkflowRunSummary,
  },
  "workflow.handle": {
    scope: "vm",
    summary: "This connection runs these functions of the run from now on.",
    params: z.object({
      vmId: VmId,
      fence: Fence,
      runId: Id,
      callbacks: z.array(CallbackName).max(256),
    }),
    result: Nothing,
  },
  "workflow.templates": {
    scope: "user",
    summary: "The workflows that come with AgentOS.",
    params: Nothing,
    result: z.object({
      templates: z.array(
        z.object({
          name: z.string(),
          description: z.string(),
          pattern: z.string(),
          agents: z.array(z.string()),
          /** The file. */
          text: z.string(),
        }),
      ),
    }),
  },
} as const;
