import type { DeliveryChange, StoredDelivery } from "@agentos/core";
import type {
  Confirmation,
  DeliveryReason,
  DeliveryState,
  RelayHappening,
} from "@agentos/protocol";

/** What may follow: no state goes back, and what has ended stays so. */
const RANK: Readonly<Record<DeliveryState, number>> = {
  accepted: 0,
  queued: 1,
  handed_over: 2,
  consumed: 3,
  answered: 4,
  failed: 5,
  expired: 5,
  dead_lettered: 5,
};

const FIRST_LAST_RANK = RANK.answered;

export interface Step {
  readonly state: DeliveryState;
  readonly confirmation?: Confirmation;
  readonly reason?: DeliveryReason | undefined;
  readonly detail?: string | undefined;
  readonly sessionSeq?: number;
}

/** A delivery after a step, and what is written of that. */
export interface Advance {
  readonly next: StoredDelivery;
  readonly change: DeliveryChange;
  readonly told: RelayHappening;
}

/** Whether nothing follows that state. */
export function isLast(state: DeliveryState): boolean {
  return RANK[state] >= FIRST_LAST_RANK;
}

/** Whether a turn has begun with it. */
export function wasSeen({ history }: StoredDelivery): boolean {
  return history.some(({ state }) => state === "consumed");
}

/** Whether it ended and its recipient has not seen it. */
export function isUnseenEnd(delivery: StoredDelivery): boolean {
  const { state } = delivery;
  return isLast(state) && state !== "answered" && !wasSeen(delivery);
}

/** Whether it was typed into a terminal: nothing more will be seen of it. */
export function isTyped({ history }: StoredDelivery): boolean {
  return history.some(({ confirmation }) => confirmation === "written" || confirmation === "echo");
}

/** The delivery after the step; undefined where the step can't follow. */
export function advance(delivery: StoredDelivery, step: Step, at: number): Advance | undefined {
  const { state, confirmation, reason, detail, sessionSeq } = step;
  if (isLast(delivery.state) || RANK[state] <= RANK[delivery.state]) return undefined;
  const seen = confirmation === undefined ? {} : { confirmation };
  const changed = {
    state,
    attempts: delivery.attempts + (state === "handed_over" ? 1 : 0),
    history: [...delivery.history, { state, at, ...seen }],
    ...(reason === undefined ? {} : { reason }),
    ...(detail === undefined ? {} : { detail }),
    ...(sessionSeq === undefined ? {} : { sessionSeq }),
  };
  const next = { ...delivery, ...changed };
  const change = { deliveryId: delivery.deliveryId, ...changed };
  return { next, change, told: { ...toldOf(next), ...seen } };
}

/** The delivery after a try that came to nothing: where it was, and counted. */
export function again(delivery: StoredDelivery): Advance {
  const attempts = delivery.attempts + 1;
  const next = { ...delivery, attempts };
  return { next, change: { deliveryId: delivery.deliveryId, attempts }, told: toldOf(next) };
}

/** What is told of a delivery as it is now. */
export function toldOf({
  recipient,
  deliveryId,
  messageId,
  state,
  attempts,
  reason,
}: StoredDelivery): Extract<RelayHappening, { type: "delivery" }> {
  const why = reason === undefined ? {} : { reason };
  return { type: "delivery", agent: recipient, deliveryId, messageId, state, attempts, ...why };
}
