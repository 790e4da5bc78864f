export { agentRuntimes } from "./agent-runtimes.ts";
export { ApiRuntime, type ApiRuntimeOptions } from "./api/api-runtime.ts";
export { MODEL_PRICES, type ModelPrice, PRICES_AS_OF } from "./prices/model-prices.ts";
export { costOf } from "./prices/cost-of.ts";
export { rateLimitReset } from "./api/rate-limit-reset.ts";
export { KeyRedactor } from "./api/key-redactor.ts";
export { providerFailure } from "./api/provider-failure.ts";
export { writeVmFile } from "./vm/write-vm-file.ts";
export { ToolNames } from "./api/tool-names.ts";
