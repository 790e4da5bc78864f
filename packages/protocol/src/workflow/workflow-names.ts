import * as z from "zod";

/** The name of a step, agent, workflow, barrier or custom step: what `{{steps.NAME.output}}` and `dependsOn` say. */
export const WorkflowName = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/,
    "expected 1 to 64 of A-Z a-z 0-9 _ -, not beginning with _ or -",
  )
  .refine((name) => !RESERVED.has(name), "expected a name that is not reserved");

/** What objects have by themselves: no name of a user's. */
const RESERVED: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);

export const WorkflowMs = z
  .int()
  .min(1)
  .max(2 ** 31 - 1);

/** A path in the VM: absolute, or relative to the workflow's directory. */
export const WorkflowPath = z
  .string()
  .min(1)
  .max(4095)
  .refine((path) => !path.includes("\0"), "expected a path without NUL");

/** What an agent is told. May hold `{{name}}` and `{{steps.NAME.output}}`. */
export const WorkflowText = z.string().min(1).max(262_144);

/** What `/bin/sh -c` runs. The same placeholders. */
export const WorkflowCommand = z
  .string()
  .min(1)
  .max(65_536)
  .refine((command) => !command.includes("\0"), "expected a command without NUL");
