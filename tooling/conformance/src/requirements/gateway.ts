import { rows } from "../requirement.ts";

const security = rows("security", {
  S36: "a provider's key is in no environment, argument, file, log, transcript or error that a VM sees",
  S37: "the guest's credential is taken off before the real one is put on, and is nowhere told on",
  S38: "another account's key is refused, though its provider is the session's own",
});

const gateway = rows("design", {
  "gateway.usage": "what an agent's calls use is counted exactly as the provider told it",
  "gateway.credentials": "only the session's own credential reaches its provider",
  "gateway.limits": "a refused key, an exhausted limit with its reset and a failure are told apart",
  "gateway.pinning": "every credential of a request has to be the session's own token",
  "gateway.scope":
    "a token opens the model paths of one session's provider, from one VM, and nothing else",
  "gateway.beside": "what agents ask beside their model is answered, and is no model call",
  "gateway.budget": "a session that may not call is refused in its provider's own words",
  "gateway.revoked": "the end of a session ends its way to the model, calls under way included",
  "gateway.token": "the same session has the same token in another life of the sidecar",
  "gateway.abort":
    "an agent that hangs up ends its provider's request, and what was used is counted",
  "gateway.drop": "an answer that breaks off is seen broken on both sides",
  "gateway.unreachable": "a provider that is not there is said to be so",
  "gateway.address": "a key travels in clear text to this machine alone",
  "gateway.bounds": "a slow, large or malformed request costs bounded time and memory",
});

const inVm = rows("design", {
  "gateway.vm": "an agent in a VM calls its model, within its session's budget",
});

export const modelGateway = [...security, ...gateway, ...inVm];
