import { readFileSync, writeFileSync } from "node:fs";

import { GENERATED_DOCS, withGenerated } from "./generated-docs.ts";
import { WORKFLOW_SCHEMA_FILE, workflowSchemaText } from "./workflow-schema.ts";

for (const [name, sections] of Object.entries(GENERATED_DOCS)) {
  const file = new URL(`../../../docs/${name}`, import.meta.url);
  writeFileSync(file, withGenerated(readFileSync(file, "utf8"), sections));
}
writeFileSync(WORKFLOW_SCHEMA_FILE, workflowSchemaText());
