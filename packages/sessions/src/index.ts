export type { HookAnswer, HookRunner, HooksRequest, OpenHooks } from "./hook-runner.ts";
export type { RequestBook } from "./request-book.ts";
export type { SubagentRequest, Subagents } from "./subagents.ts";
export type { OpenToolDesk, ToolDesk, ToolDeskRequest, ToolTurn } from "./tool-desk.ts";
