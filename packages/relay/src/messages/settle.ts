import type { StoredDelivery } from "@agentos/core";

import type { UserParts } from "../relay-parts.ts";
import { advance, type Step } from "./live-delivery.ts";

/** Writes what became of a delivery that no mailbox holds: a person's. False: the step can't follow. */
export function settle(
  { journal, now }: Pick<UserParts, "journal" | "now">,
  delivery: StoredDelivery,
  step: Step,
): boolean {
  const advanced = advance(delivery, step, now());
  if (advanced === undefined) return false;
  journal.write({ changeDeliveries: [advanced.change] }, [advanced.told]);
  return true;
}
