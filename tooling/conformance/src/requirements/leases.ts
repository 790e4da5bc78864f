import { rows } from "../requirement.ts";

/** What outlives a lost connection and a killed sidecar, and what does not. */
export const leases = rows("design", {
  "adopt.lease": "after kill -9 of the sidecar the next one of its pool has its VMs and leases",
  "adopt.exec":
    "an exec under way when its sidecar is killed ends with each byte once and its true end, or NOT_FOUND; it never runs twice",
  "adopt.log": "logged processes of an earlier life are listed, read, and their ends known",
  "lease.resume":
    "after a lost connection a lease is resumed within its grace, and its streams go on from what was received",
  "lease.expiry":
    "a lease that nobody resumes within its grace ends, outages counted; a renewal and an end never both take effect",
  "lease.freeze":
    "a named VM without a lease is frozen until it is held again, and loses its processes after a time",
  "lease.fence-yesterday": "a fence of an earlier life is FENCED",
  "store.newer": "a state file of a newer version is refused at the start and stays as it was",
  "store.damaged": "a damaged state file is refused at the start, named, and stays as it was",
  "store.read-only": "a state directory that can't be written is refused at the start",
  "store.full":
    "a full state file refuses what is new with a typed error, half-writes nothing, and lets VMs end",
});
