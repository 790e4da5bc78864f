export { listTemplates } from "./workflow/templates/templates.ts";
export { WorkflowHost, type WorkflowHostOptions } from "./workflow/workflow-host.ts";
export type { Agent } from "./agents/agent.ts";
export { Mail } from "./mail.ts";
export type { Sender, SendRequest, Sent } from "./messages/post-office.ts";
export { Relay } from "./relay.ts";
export type { RelayLog, RelayOptions } from "./relay-parts.ts";
export { Supervision } from "./supervision.ts";
export type { UserRelay } from "./user-relay.ts";
