// oxlint-disable-next-line import/no-unassigned-import -- First: it says so where Node is too old for what follows.
import "./require-node.ts";

export { AgentOs } from "./agent-os.ts";
export { type AgentListing, AgentStore, type AgentStoreOptions } from "./agents/agent-store.ts";
export type { VmChange } from "./diff/compare-files.ts";
export type { DiffOptions, VmDiff } from "./diff/vm-diff.ts";
export type {
  CopyOptions,
  MkdirOptions,
  ReadStreamOptions,
  RmOptions,
  TransferOptions,
  UploadOptions,
  WatchOptions,
  WriteFileOptions,
} from "./files/file-options.ts";
export type { FileChange, FileWatch } from "./files/file-watch.ts";
export type { TransferResult } from "./files/transfer-result.ts";
export type { VmFiles } from "./files/vm-files.ts";
export type { FetchInit, ForwardOptions, PortForward } from "./network/network-options.ts";
export type { LimitHit, LimitNear } from "./leases/vm-admin.ts";
export type {
  AttachOptions,
  CreateOptions,
  CreateSidecarOptions,
  ForkOptions,
  SharedSidecarOptions,
  SidecarChoice,
  SnapshotOptions,
} from "./options.ts";
export type {
  BufferExecOptions,
  ExecOptions,
  ExecResult,
  TextExecOptions,
} from "./process/exec-options.ts";
export type { InputSource } from "./process/input-stream.ts";
export type {
  ChannelEnd,
  ProcessEnd,
  ProcessOutcome,
  ReachedLimit,
} from "./process/process-end.ts";
export type { LogChannel, LogChunk, LogEnd, LogOptions } from "./process/read-log.ts";
export type { SpawnOptions } from "./process/spawn.ts";
export type { VmProcess } from "./process/vm-process.ts";
export type { AgentOsSidecar } from "./sidecar/agent-os-sidecar.ts";
export {
  makeWithParents,
  prepareRuntimeDirectory,
  runtimeDirectory,
  stateDirectory,
} from "./sidecar/runtime-directory.ts";
export { disposeSharedSidecars } from "./sidecar/shared-sidecars.ts";
export type { UserHoldings } from "./sidecar/user-holdings.ts";
export type { SidecarConfiguration } from "./sidecar/sidecar-configuration.ts";
export { decodeSidecarState, encodeSidecarState } from "./sidecar/sidecar-state.ts";
export type { Terminal } from "./terminal/terminal.ts";
export type { TerminalOptions } from "./terminal/terminal-options.ts";
export {
  type AgentInfo,
  type AgentMetrics,
  type Continuity,
  AgentOsError,
  type Content,
  type CrashRecord,
  type ContentPart,
  DEFAULTS,
  type Delivery,
  type DeliveryState,
  type ErrorCode,
  type ErrorDetails,
  type FileStat,
  type FileType,
  type InboxEntry,
  isAgentOsError,
  type LimitChanges,
  type Limits,
  type Mount,
  type NetworkDecision,
  type NetworkPolicy,
  type PendingRequest,
  type Placement,
  type ProcessInfo,
  PROTOCOL_VERSION,
  providerOf,
  type RelayCounts,
  type RelayEvent,
  type RelayHealth,
  type RelayMessage,
  type RequestAnswer,
  type SessionEvent,
  type SessionInfo,
  type SessionState,
  type SessionSummary,
  type Signal,
  type SidecarDescription,
  type SidecarInfo,
  type SidecarState,
  type SignalScope,
  type Step,
  type StopReason,
  type ToolCall,
  type ToolInfo,
  type ToolResult,
  type Usage,
  type TerminalInfo,
  type TerminalSize,
  type ImageInfo,
  type SnapshotInfo,
  type VmInfo,
  type VmStats,
  type WorkflowDefinition,
  type WorkflowEvent,
  type WorkflowReport,
  type WorkflowRunInfo,
  type WorkflowRunSummary,
  type WorkflowStepInfo,
} from "@agentos/protocol";
export type { AgentLogEntry, AgentLogOptions } from "./relay/agent-log.ts";
export type { AgentOptions } from "./relay/agent-options.ts";
export type { AgentWaitOptions } from "./relay/agent-waits.ts";
export type { HookContext, LifecycleHooks } from "./relay/lifecycle-hooks.ts";
export { type AgentReleaseOptions, Relay, type RelayChannel } from "./relay/relay.ts";
export type { RelayEventOptions, RelayEventQuery } from "./relay/relay-events.ts";
export type { ListenOptions, RelayEventOf } from "./relay/relay-listeners.ts";
export type {
  HistoryOptions,
  InboxOptions,
  RelayMessages,
  RelayThread,
  SendOptions,
} from "./relay/relay-messages.ts";
export type { MessageWaitOptions, SentMessage } from "./relay/sent-message.ts";
export type { SpawnedAgent, VmRelay } from "./relay/vm-relay.ts";
export type { Decision, Hooks } from "./sessions/hooks.ts";
export {
  defineTool,
  type ToolAnswer,
  type ToolContext,
  type ToolDefinition,
} from "./sessions/host-tool.ts";
export {
  allow,
  allowAll,
  ask,
  type AskHandler,
  confirmRunCommand,
  deny,
  denyAll,
  type PolicyItem,
  type Predicate,
  type Rule,
  type RuleOptions,
  safeDefaults,
  workspaceOnly,
} from "./sessions/policy.ts";
export type { ProviderOption } from "./sessions/provider-key.ts";
export type {
  EventOptions,
  PromptOptions,
  Session,
  SessionFork,
  WaitOptions,
} from "./sessions/session.ts";
export type { SessionForkOptions } from "./sessions/session-place.ts";
export type {
  CreateSessionOptions,
  RequestHandler,
  ResumeOption,
  SessionOptions,
  SubagentOptions,
} from "./sessions/session-options.ts";
export type { Sessions } from "./sessions/sessions.ts";
export type { Trigger, TriggerFunction } from "./sessions/triggers.ts";
export type { Turn, TurnResult } from "./sessions/turn.ts";
export {
  defineWorkflow,
  type Workflow,
  type WorkflowFunctions,
  type WorkflowStepContext,
  type WorkflowStepFunction,
  type WorkflowVerifier,
} from "./workflows/define-workflow.ts";
export type {
  WorkflowCheckOptions,
  WorkflowInput,
  WorkflowRunOptions,
} from "./workflows/workflow-options.ts";
export type { PoolWorkflows, WorkflowTemplate } from "./workflows/pool-workflows.ts";
export type { WorkflowRun } from "./workflows/workflow-run.ts";
export type { Workflows } from "./workflows/workflows.ts";
