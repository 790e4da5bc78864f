import type { MethodName, MethodParams, MethodResult, RequestOptions } from "@agentos/protocol";

/** How the relay of a sidecar is asked: through a leased VM's connection, or the pool's. */
export interface RelayLink {
  request<M extends MethodName>(
    method: M,
    params: MethodParams<M>,
    options?: RequestOptions,
  ): Promise<MethodResult<M>>;
}
