import { lastRelaySeq } from "./relay-events.ts";
import type { RelayLink } from "./relay-link.ts";
import { call } from "./user-callback.ts";

/** What a hook is told. */
export interface HookContext {
  readonly operation: "spawn" | "release";
  readonly agent: string;
}

/**
 * Called around a spawn or a release, and waited for. A hook that throws is a warning of the process and changes
 * nothing. None is called where there is no sidecar to ask.
 */
export interface LifecycleHooks<R = void> {
  readonly onStart?: (context: HookContext) => unknown;
  readonly onSuccess?: (context: HookContext & { readonly result: R }) => unknown;
  readonly onError?: (context: HookContext & { readonly error: unknown }) => unknown;
}

/** Does the work with its hooks around it: the start, then success or the error. */
export async function withHooks<R>(
  link: RelayLink,
  context: HookContext,
  hooks: LifecycleHooks<R> | undefined,
  work: () => Promise<R>,
): Promise<R> {
  if (hooks === undefined) return await work();
  // Where there is no sidecar to be had, nothing has begun.
  await lastRelaySeq(link);
  const { onStart, onSuccess, onError } = hooks;
  const name = (hook: string): string => `${hook} of ${context.operation} ${context.agent}`;
  await call(name("onStart"), () => onStart?.(context));
  let result: R;
  try {
    result = await work();
  } catch (error) {
    await call(name("onError"), () => onError?.({ ...context, error }));
    throw error;
  }
  await call(name("onSuccess"), () => onSuccess?.({ ...context, result }));
  return result;
}
