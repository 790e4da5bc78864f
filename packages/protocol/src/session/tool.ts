import * as z from "zod";

import { ContentPart } from "./content.ts";
import { Json, JsonObject } from "./json.ts";

export const ToolName = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9_-]{0,63}$/, "expected a letter, then up to 63 of A-Z a-z 0-9 _ -");

/** Who runs a tool: AgentOS in the VM, the client's process, an MCP server, or the agent itself. */
export const ToolSource = z.enum(["builtin", "host", "mcp", "agent"]);
export type ToolSource = z.infer<typeof ToolSource>;

export const ToolInfo = z.object({
  name: ToolName,
  /** The MCP server that it is of. */
  server: z.string().optional(),
  description: z.string(),
  /** JSON Schema of its input. */
  inputSchema: JsonObject,
  source: ToolSource,
  /** Its effect leaves the VM: the default policy asks. */
  crossesBorder: z.boolean(),
});
export type ToolInfo = z.infer<typeof ToolInfo>;

export const ToolCall = z.object({
  callId: z.string().min(1).max(128),
  name: z.string().max(128),
  server: z.string().optional(),
  input: Json,
  /** The file that it is about, resolved in the VM. */
  path: z.string().optional(),
});
export type ToolCall = z.infer<typeof ToolCall>;

export const ToolResult = z.object({
  callId: z.string().min(1).max(128),
  name: z.string().max(128),
  outcome: z.enum(["ok", "failed", "denied", "cancelled"]),
  content: z.array(ContentPart),
  /** The code of the error that it failed with or was denied for, where it was one of ours. */
  code: z.string().optional(),
  /** Bytes of the whole result, where the content was cut. */
  totalBytes: z.int().optional(),
  truncated: z.boolean(),
  durationMs: z.number(),
});
export type ToolResult = z.infer<typeof ToolResult>;
