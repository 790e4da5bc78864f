import type { ClientRequest } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";

import { nodeHttp } from "@agentos/protocol";

import { GATEWAY_BOUNDS } from "./gateway-bounds.ts";
import { credentialHeaders, type ProviderTarget } from "./provider-target.ts";

const POOL = {
  keepAlive: true,
  maxSockets: GATEWAY_BOUNDS.providerConnections,
  timeout: GATEWAY_BOUNDS.idleProviderMs,
} as const;

export interface ProviderRequest {
  readonly method: string;
  /** Below the base URL, with the query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly signal: AbortSignal;
}

/** Connections to providers. Nothing is followed: no redirect, no proxy of the environment. */
export class ProviderClient implements Disposable {
  readonly #http = new nodeHttp.Agent(POOL);
  readonly #https = new HttpsAgent(POOL);

  /** Begins a request, with the session's own credential. Its body is to be written. */
  request(
    target: ProviderTarget,
    { method, path, headers, signal }: ProviderRequest,
  ): ClientRequest {
    const { baseUrl } = target;
    const isPlain = baseUrl.protocol === "http:";
    const options = {
      method,
      signal,
      agent: isPlain ? this.#http : this.#https,
      protocol: baseUrl.protocol,
      hostname: baseUrl.hostname.replace(/^\[|\]$/g, ""),
      port: baseUrl.port,
      path: baseUrl.pathname.replace(/\/$/, "") + path,
      headers: { ...headers, ...credentialHeaders(target) },
    };
    return isPlain ? nodeHttp.request(options) : httpsRequest(options);
  }

  [Symbol.dispose](): void {
    this.#http.destroy();
    this.#https.destroy();
  }
}
