export type {
  AgentModes,
  AgentRuntime,
  RuntimeCapabilities,
  RuntimeEvent,
  RuntimeHost,
  RuntimeRequest,
  RuntimeSession,
  RuntimeState,
  RuntimeTurn,
  RuntimeTurnResult,
  ToolVerdict,
} from "./agent-runtime.ts";
export type { AgentTrace, StoredTrace } from "./agent-trace.ts";
export type {
  AgentPlace,
  AgentSessions,
  AgentUse,
  SessionLook,
  SessionRef,
  TurnProgress,
} from "./agent-sessions.ts";
export type { ClientCallbacks } from "./client-callbacks.ts";
export type { Clock } from "./clock.ts";
export type { ChannelBytes, FrameSink, FrameSource, LogSource } from "./frame-sink.ts";
export type {
  AgentEndpoint,
  ModelApi,
  ModelCall,
  ModelGateway,
  ModelProvider,
  ModelRoute,
} from "./model-gateway.ts";
export type { ToolDoor, ToolDoors, ToolRoute } from "./tool-door.ts";
export type {
  AdoptedProcess,
  AdoptedVm,
  LimitHit,
  VmDriver,
  VmEnding,
  VmHandle,
  VmRecord,
  VmRequest,
  VmSnapshot,
  VmUse,
} from "./vm-driver.ts";
export type { ReadRequest, VmFiles, VmWrite, WriteRequest } from "./vm-files.ts";
export type { VmDoor, VmIncoming, VmNetwork, VmPort } from "./vm-network.ts";
export type { ProcessRequest, VmProcess, VmProcessExit } from "./vm-process.ts";
export type {
  AgentChange,
  DeliveryChange,
  HistoryQuery,
  RelayCursor,
  RelayStore,
  RelayStores,
  RelayTotals,
  RelayWrite,
  StoredAgent,
  StoredDelivery,
  StoredThread,
} from "./relay-store.ts";
export type { SessionTool, SessionToolCall, ToolSource } from "./session-tool.ts";
export type {
  SessionBatch,
  SessionChange,
  SessionSpent,
  SessionStore,
  SessionWrite,
  StoredSession,
  StoredTurn,
} from "./session-store.ts";
export type { SessionEgress, SessionVm, SessionVms } from "./session-vm.ts";
export type {
  AdoptedAttachment,
  AttachmentRequest,
  TerminalOptions,
  VmAttachment,
  VmTerminals,
} from "./vm-terminals.ts";
export type {
  WorkflowAgentHandle,
  WorkflowAgentRequest,
  WorkflowAgents,
  WorkflowAnswer,
} from "./workflow-agents.ts";
export type {
  WorkflowCommand,
  WorkflowCommandResult,
  WorkflowCommands,
  WorkflowNotices,
  WorkflowPlace,
  WorkflowPlaces,
} from "./workflow-place.ts";
export type {
  ListedWorkflowRun,
  StoredWorkflowRun,
  StoredWorkflowStep,
  WorkflowRunChange,
  WorkflowRunFacts,
  WorkflowStore,
  WorkflowWrite,
} from "./workflow-store.ts";
