import * as z from "zod";

const text = z.string();
const optionalText = z.string().nullish();

/** The version that this line protocol has. */
export const V1 = 1;

/** What a line has to be, before its payload is looked at. */
export const V1Envelope = z.object({
  v: z.unknown(),
  type: z.string(),
  request_id: z.string().nullish(),
  payload: z.unknown(),
});

export const V1Agent = z.object({
  name: text.min(1),
  runtime: z.enum(["pty", "headless"]),
  provider: optionalText,
  cli: optionalText,
  args: z.array(text).nullish(),
  channels: z.array(text).nullish(),
  model: optionalText,
  cwd: optionalText,
  team: optionalText,
  shadow_of: optionalText,
  shadow_mode: optionalText,
  restart_policy: z
    .object({
      enabled: z.boolean().nullish(),
      max_restarts: z.int().min(0).nullish(),
      cooldown_ms: z.int().min(0).nullish(),
      max_consecutive_failures: z.int().min(0).nullish(),
    })
    .nullish(),
});
export type V1Agent = z.infer<typeof V1Agent>;

const named = z.object({ name: text.min(1) });

/** The payloads of v1's requests. Unknown fields are ignored, `null` is as if left out. */
export const V1_REQUESTS = {
  hello: z.object({ client_name: optionalText, client_version: optionalText }),
  spawn_agent: z.object({
    agent: V1Agent,
    initial_task: optionalText,
    idle_threshold_secs: z.int().min(0).nullish(),
    continue_from: optionalText,
  }),
  release_agent: named.extend({ reason: optionalText }),
  send_input: named.extend({ data: text }),
  set_model: named.extend({ model: text.min(1), timeout_ms: z.int().min(1).nullish() }),
  send_message: z.object({
    to: text.min(1),
    text,
    from: optionalText,
    thread_id: optionalText,
    priority: z.int().min(0).max(4).nullish(),
    data: z.record(z.string(), z.json()).nullish(),
  }),
  list_agents: z.object({}),
  get_status: z.object({}),
  get_metrics: z.object({ agent: optionalText }),
  get_crash_insights: z.object({}),
  preflight_agents: z.object({
    agents: z.array(z.object({ name: text.min(1), cli: text.min(1) })),
  }),
  shutdown: z.object({}),
} as const;

export type V1RequestType = keyof typeof V1_REQUESTS;
export type V1Payload<T extends V1RequestType> = z.infer<(typeof V1_REQUESTS)[T]>;
export type V1Result = Readonly<Record<string, unknown>>;

export function isRequestType(type: string): type is V1RequestType {
  return Object.hasOwn(V1_REQUESTS, type);
}
