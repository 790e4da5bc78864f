export type { WaitOptions } from "./condition.ts";
export { fitSchema, JsonSchema } from "./conversation/json-schema.ts";
export type {
  AnsweredCall,
  FormatName,
  Message,
  ModelRequest,
  OfferedTool,
  ToolCall,
  ToolResult,
} from "./conversation/model-request.ts";
export { Journal } from "./journal/journal.ts";
export type { JournalEntry, Outcome } from "./journal/journal-entry.ts";
export { Gate } from "./script/gate.ts";
export {
  badRequest,
  hang,
  httpBody,
  overloaded,
  rateLimit,
  reset,
  serverError,
  unauthorized,
  unavailable,
  unknownModel,
  type ErrorKind,
  type HttpFault,
  type RateLimit,
} from "./script/http-fault.ts";
export {
  afterTools,
  all,
  atStep,
  atTurn,
  atTurnStart,
  forModel,
  lastUserText,
  offersTool,
  systemPrompt,
} from "./script/match.ts";
export type { ReplyOptions, StopReason } from "./script/reply-options.ts";
export {
  drop,
  endEarly,
  malformed,
  pause,
  rawToolCall,
  refusal,
  stall,
  streamError,
  text,
  thinking,
  toolCall,
  truncate,
  type ReplyPart,
} from "./script/reply-part.ts";
export { otherwise, script, when, type Match, type Rule, type Script } from "./script/rule.ts";
export type { Usage } from "./script/usage.ts";
export { FakeModelServer, type FakeModelServerOptions } from "./server/fake-model-server.ts";
export { echo } from "./scripts/echo.ts";
export { findScript } from "./scripts/find-script.ts";
export { fixFailingTest } from "./scripts/fix-failing-test.ts";
export type { Edit } from "./scripts/tool-kit.ts";
