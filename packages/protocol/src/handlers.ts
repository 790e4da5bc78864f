import { AgentOsError } from "./agent-os-error.ts";
import { parseArgument } from "./invalid-argument.ts";
import { METHOD_CODECS } from "./method-codec.ts";
import { isMethodName, type MethodName, type MethodResult, type ParsedParams } from "./methods.ts";

export interface RequestContext {
  /** Aborted when the requester cancels or the connection closes. */
  readonly signal: AbortSignal;
}

/** What answers requests. Called in the order of arrival, at once: register ids before the first await. */
export type Handlers = {
  readonly [M in MethodName]?: (
    params: ParsedParams<M>,
    context: RequestContext,
  ) => Promise<MethodResult<M>> | MethodResult<M>;
};

/** Parses, calls the method's handler before it returns, parses its result. Rejects with `UNKNOWN_METHOD` or `INVALID_ARGUMENT` before any effect. */
export async function dispatch(
  handlers: Handlers,
  method: string,
  params: unknown,
  context: RequestContext,
): Promise<unknown> {
  if (!isMethodName(method)) {
    throw new AgentOsError(
      "UNKNOWN_METHOD",
      `unknown method ${JSON.stringify(method.slice(0, 80))}`,
      {
        method: method.slice(0, 80),
      },
    );
  }
  return await call(handlers, method, params, context);
}

// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- It ties the handler to its codec.
async function call<M extends MethodName>(
  handlers: Handlers,
  method: M,
  raw: unknown,
  context: RequestContext,
): Promise<unknown> {
  const handler = handlers[method];
  if (handler === undefined) {
    throw new AgentOsError("UNSUPPORTED", `${method} is not answered on this side`, {
      what: method,
    });
  }
  const codec = METHOD_CODECS[method];
  const params = parseArgument(codec.params, raw, method);
  return codec.result.parse(await handler(params, context));
}
