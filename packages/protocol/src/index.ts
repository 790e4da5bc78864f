export { AgentOsError, isAgentOsError } from "./agent-os-error.ts";
export { ByteReader, type FrameTarget, type TakeBytes } from "./byte-reader.ts";
export { ByteWriter } from "./byte-writer.ts";
export {
  AGENT_MANIFEST,
  AGENT_PROGRAMS,
  AgentManifest,
  type AgentProgram,
  type AgentProgramName,
  AGENTS_DIRECTORY,
  installLine,
  isAgentProgram,
} from "./agent-programs.ts";
export { DEFAULTS } from "./defaults.ts";
export { Port } from "./network.ts";
export { type NetworkHost, parseNetworkHost } from "./network-host.ts";
export {
  type HostPattern,
  NetworkDecision,
  NetworkPolicy,
  parseHostPattern,
} from "./network-policy.ts";
export { FrameDuplex, type FrameSender } from "./frame-duplex.ts";
export { Envelope } from "./envelope.ts";
export { decodeDirectoryEntries, type DirectoryEntry } from "./directory-entries.ts";
export { decodeError, encodeError, WireError } from "./error-codec.ts";
export { ERROR_CODES, type ErrorCode, type ErrorDetails, isErrorCode } from "./error-codes.ts";
export { ERROR_TEXTS, type ErrorText } from "./error-texts.ts";
export { type EventData, type EventName, EVENTS, isEventName, VmEndReason } from "./events.ts";
export { FileStat, FileType } from "./file.ts";
export { dispatch, type Handlers, type RequestContext } from "./handlers.ts";
export {
  AuthenticateResult,
  ClientName,
  DiscoveryFile,
  ListenAddress,
  StartReply,
  StartRequest,
} from "./handshake.ts";
export { Fence, HostPath, Id, StreamId, VmId, VmName, VmPath } from "./ids.ts";
export { parseArgument } from "./invalid-argument.ts";
export { loadPackage } from "./load-package.ts";
export { nodeHttp } from "./node-http.ts";
export { readAll } from "./read-all.ts";
export { writeAll } from "./write-all.ts";
export { createMemoryTransportPair } from "./memory-transport.ts";
export {
  isMethodName,
  type MethodName,
  type MethodParams,
  type MethodResult,
  METHODS,
  type ParsedParams,
} from "./methods.ts";
export {
  MAX_CONCURRENT_REQUESTS,
  MAX_UNSENT_BYTES,
  Peer,
  type PeerOptions,
  type RequestOptions,
} from "./peer.ts";
export {
  ChannelBytes,
  Outcome,
  OutputMode,
  ProcessExit,
  ProcessInfo,
  ProcessStart,
  ProcessStarted,
  ProcessSummary,
  ReachedLimit,
  Signal,
  SIGNALS,
  SignalScope,
} from "./process.ts";
export {
  DriverReport,
  Placement,
  SIDECAR_STATES,
  SidecarDescription,
  SidecarInfo,
  SidecarState,
} from "./sidecar.ts";
export {
  ScrollbackBytes,
  TERMINAL_CELLS_MAX,
  TerminalAttach,
  TerminalAttached,
  TerminalInfo,
  TerminalOpen,
  TerminalSize,
} from "./terminal.ts";
export {
  CHANNEL,
  decodeFrame,
  encodeAck,
  encodeFrame,
  FRAME_HEADER_BYTES,
  FRAME_KIND,
  FRAME_MAX_PAYLOAD_BYTES,
  frameStream,
  setFrameStream,
  type StreamFrame,
  writeFrameHeader,
} from "./stream-frame.ts";
export type { Message, Transport } from "./transport.ts";
export {
  highestCommonVersion,
  OLDEST_PROTOCOL_VERSION,
  PROTOCOL_VERSION,
  SUPPORTED_VERSIONS,
  type VersionRange,
} from "./version.ts";
export { ImageInfo } from "./image.ts";
export { SnapshotInfo } from "./snapshot.ts";
export {
  Enforcement,
  Environment,
  Lease,
  LeasedVm,
  DRIVER_LIMIT_NAMES,
  type DriverLimitName,
  isSidecarLimit,
  LimitName,
  ReachedLimitName,
  SCRIPT_LIMIT_NAMES,
  type ScriptLimitName,
  SIDECAR_LIMIT_NAMES,
  type SidecarLimitName,
  LimitChanges,
  Limits,
  Mount,
  Security,
  SecurityProfile,
  VmInfo,
  VmScope,
  VmSpec,
  VmStats,
} from "./vm.ts";
export {
  AgentActivity,
  AgentInfo,
  AgentMetrics,
  AgentState,
  CrashCategory,
  CrashRecord,
  RelayCounts,
  RelayHealth,
} from "./relay/agent-info.ts";
export { AgentName, ChannelName, channelOf, foldName, TeamName } from "./relay/agent-name.ts";
export { Continuity } from "./relay/continuity.ts";
export {
  AgentSpec,
  DeliveryMode,
  NudgePolicy,
  RestartPolicy,
  ShadowMode,
} from "./relay/agent-spec.ts";
export {
  Confirmation,
  Delivery,
  DeliveryReason,
  DeliveryState,
  InboxEntry,
  MessageText,
  Priority,
  RelayMessage,
  ThreadId,
} from "./relay/message.ts";
export { RELAY_EVENT_TYPES, RelayEvent, RelayHappening } from "./relay/relay-event.ts";
export { CallbackParams, CallbackResult } from "./session/callback.ts";
export { ChatMessage, Content, ContentPart } from "./session/content.ts";
export { HOOK_POINTS, HookPoint } from "./session/hook.ts";
export { Json, JsonObject } from "./session/json.ts";
export {
  assertProviderKey,
  isModelProvider,
  MODEL_PROVIDERS,
  type ModelProvider,
} from "./session/model-providers.ts";
export { CallbackName, Policy, PolicyRule } from "./session/policy.ts";
export { PendingRequest, Question, RequestAnswer, RequestOutcome } from "./session/request.ts";
export { aliasesOf, providerOf, withoutAlias } from "./session/runtime-alias.ts";
export {
  SessionEvent,
  SessionHappening,
  SessionState,
  TurnSource,
} from "./session/session-event.ts";
export { AgentMode, RateLimitWindow, SessionInfo, SessionSummary } from "./session/session-info.ts";
export {
  Budget,
  Capabilities,
  HostTool,
  McpServer,
  Resume,
  SessionRequest,
  SessionSpec,
  SessionTerminal,
  SubagentSpec,
  SystemPrompt,
  Timeouts,
  Trigger,
} from "./session/session-spec.ts";
export { Step } from "./session/step.ts";
export { ToolCall, ToolInfo, ToolName, ToolResult, ToolSource } from "./session/tool.ts";
export { BudgetName, StopReason, TurnResult } from "./session/turn.ts";
export { ModelUse, SessionUsage, Usage } from "./session/usage.ts";
export { parseWorkflow } from "./workflow/parse-workflow.ts";
export { WORKFLOW_CLIS, WorkflowAgent, WorkflowPreset } from "./workflow/workflow-agent.ts";
export {
  type Coordination,
  type Preflight,
  WORKFLOW_PATTERNS,
  WorkflowDefinition,
  WorkflowPattern,
} from "./workflow/workflow-definition.ts";
export { WorkflowSource } from "./workflow/workflow-methods.ts";
export { WorkflowName } from "./workflow/workflow-names.ts";
export {
  WorkflowEvent,
  WorkflowHappening,
  WorkflowReport,
  WorkflowRunInfo,
  WorkflowRunStatus,
  WorkflowRunSummary,
  WorkflowStepInfo,
  WorkflowStepStatus,
  WorkflowStepType,
  WorkflowTopology,
} from "./workflow/workflow-run.ts";
export {
  AgentStep,
  CustomStepDefinition,
  CustomSteps,
  Verification,
  WorkflowStep,
} from "./workflow/workflow-step.ts";
export { type Corkable, WriteBatch } from "./write-batch.ts";
export { TreeReader } from "./tree/tree-reader.ts";
export { TREE_BOUNDS, type TreeAttributes, type TreeRecord } from "./tree/tree-record.ts";
export { type ListedFile, ListReader } from "./tree/list-reader.ts";
export { type BuiltinFailure, readBuiltinFailure } from "./tree/builtin-failure.ts";
export { WatchReader, type WatchRecord } from "./tree/watch-reader.ts";
export { writeTree } from "./tree/write-tree.ts";
