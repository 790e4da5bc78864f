import { IMAGES } from "./schema/images.ts";
import { RELAY, RELAY_HELD } from "./schema/relay.ts";
import { AGENT_TRACES, KEPT_ANSWERS, SESSIONS, TRANSCRIPT_BYTES } from "./schema/sessions.ts";
import { SNAPSHOTS } from "./schema/snapshots.ts";
import { ENDED_VMS, VMS, VM_NETWORKS } from "./schema/vms.ts";
import { WORKFLOWS } from "./schema/workflows.ts";

/** What makes an empty file the present store, step by step. A step is never changed once it was released. */
export const MIGRATIONS: readonly string[] = [
  VMS,
  ENDED_VMS,
  SESSIONS,
  SNAPSHOTS,
  WORKFLOWS,
  RELAY,
  IMAGES,
  VM_NETWORKS,
  AGENT_TRACES,
  KEPT_ANSWERS,
  TRANSCRIPT_BYTES,
  RELAY_HELD,
];
