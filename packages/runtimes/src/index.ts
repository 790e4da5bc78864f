export { agentRuntimes } from "./agent-runtimes.ts";
export { ApiRuntime, type ApiRuntimeOptions } from "./api/api-runtime.ts";
export { MODEL_PRICES, type ModelPrice, PRICES_AS_OF } from "./prices/model-prices.ts";
