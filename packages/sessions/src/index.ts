export type { HookAnswer, HookRunner } from "./hook-runner.ts";
export type { RequestBook } from "./request-book.ts";
export type { ToolDesk, ToolTurn } from "./tool-desk.ts";
