import type * as z from "zod";

import { EVENTS, type EventData, type EventName } from "./events.ts";
import { METHODS, type MethodName, type MethodResult, type ParsedParams } from "./methods.ts";

/** The method table, typed so that a generic name keeps its params and result together. */
export const METHOD_CODECS: {
  readonly [M in MethodName]: {
    readonly params: z.ZodType<ParsedParams<M>>;
    readonly result: z.ZodType<MethodResult<M>>;
  };
} = METHODS;

/** The same for events. */
export const EVENT_CODECS: {
  readonly [E in EventName]: { readonly data: z.ZodType<EventData<E>> };
} = EVENTS;
