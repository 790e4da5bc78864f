import * as z from "zod";

import { VmPath } from "../ids.ts";

/** A function of the client, by the name that it registered it with. */
export const CallbackName = z.string().regex(/^[A-Za-z0-9_.:/-]{1,128}$/);

/**
 * One rule. Exact tools come before `server/*`, and that before `*`; within each deny, ask, allow; then
 * the order of registration. Unknown fields are refused: ignoring one would fail open.
 */
export const PolicyRule = z.strictObject({
  /** `name`, `server/name`, `server/*` or `*`. A bare name never means an MCP tool. */
  tool: z
    .string()
    .regex(
      /^(\*|[A-Za-z0-9_-]+\/\*|([A-Za-z0-9_-]+\/)?[A-Za-z][A-Za-z0-9_-]{0,63})$/,
      "expected a tool's name, SERVER/TOOL, SERVER/* or *",
    ),
  decision: z.enum(["allow", "deny", "ask"]),
  /** A predicate of the client on the call: false takes the next rule, an error denies. */
  when: CallbackName.optional(),
  /** For `ask`: a function of the client that decides. Without one it is a permission request. */
  handler: CallbackName.optional(),
  name: z.string().max(128).optional(),
  /** Told to the agent with a denial. */
  reason: z.string().max(1024).optional(),
});
export type PolicyRule = z.infer<typeof PolicyRule>;

export const Policy = z.strictObject({
  rules: z.array(PolicyRule).max(256),
  /** File tools stay below these, by real path; also where everything else is allowed. */
  workspaceOnly: z.array(VmPath).max(32).optional(),
  /** What no rule matches. `border`: inside the VM allowed, across its border asked. */
  otherwise: z.enum(["deny", "border"]),
});
export type Policy = z.infer<typeof Policy>;
