export { listTemplates } from "./workflow/templates/templates.ts";
export { WorkflowHost, type WorkflowHostOptions } from "./workflow/workflow-host.ts";
