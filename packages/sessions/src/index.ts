export type { HookAnswer, HookData, HookRunner, HooksRequest, OpenHooks } from "./hook-runner.ts";
export { openHooks } from "./hooks/client-hooks.ts";
export { callDigest } from "./policies/call-digest.ts";
export { isContained, realPathOf } from "./policies/contained-path.ts";
export type { RequestBook } from "./request-book.ts";
export type { SubagentRequest, Subagents } from "./subagents.ts";
export type { OpenToolDesk, ToolDesk, ToolDeskRequest, ToolTurn } from "./tool-desk.ts";
export { FINISH_TOOL } from "./tools/builtin/finish.ts";
export { openTools } from "./tools/open-tools.ts";
