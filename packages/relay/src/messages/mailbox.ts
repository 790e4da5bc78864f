import PQueue from "p-queue";

import type { StoredDelivery } from "@agentos/core";
import { DEFAULTS, type DeliveryReason } from "@agentos/protocol";

import type { UserParts } from "../relay-parts.ts";
import {
  type Advance,
  advance,
  again,
  isLast,
  isUnseenEnd,
  type Step,
  wasSeen,
} from "./live-delivery.ts";

export interface MailboxOptions {
  readonly parts: UserParts;
  /** Gives one to the agent; resolves once the agent may have the next one. Never rejects. */
  readonly deliver: (delivery: StoredDelivery) => Promise<void>;
  /** It ended, and the agent has not seen it: writes that. Where it throws nothing is written. */
  readonly undelivered: (ending: Advance) => void;
  /** It begins with keeping what it has. */
  readonly isHeld: boolean;
}

/** Which bound of a mailbox leaves no room. */
export interface NoRoom {
  readonly limit: "mailboxMessages" | "mailboxBytes";
  readonly capacity: number;
  readonly waiting: number;
}

/**
 * What is on its way to one agent, one after the other: by priority, in which each step counts as much as waiting for
 * `DEFAULTS.priorityAgingMs`, so that nothing waits for ever; within one priority as it was accepted.
 */
export class Mailbox {
  readonly #options: MailboxOptions;
  readonly #queue = new PQueue({ concurrency: 1, autoStart: false });
  readonly #open = new Map<string, StoredDelivery>();
  #waitingBytes = 0;
  #waiting = 0;
  #cancelSweep: (() => void) | undefined;
  /** What those who wait for an empty mailbox still wait for. */
  readonly #awaited = new Map<Set<string>, () => void>();
  #isStarted = false;
  #isHeld: boolean;
  /** Of those that are held, how many are delivered all the same. */
  #flushed = 0;
  #isClosed = false;

  constructor(options: MailboxOptions) {
    this.#options = options;
    this.#isHeld = options.isHeld;
  }

  /** Messages that no turn has begun with, the one on its way included. */
  get pending(): number {
    return this.#waiting;
  }

  get isEmpty(): boolean {
    return this.#open.size === 0;
  }

  noRoom(bytes: number): NoRoom | undefined {
    const { mailboxMessages, mailboxBytes } = DEFAULTS;
    if (this.#waiting >= mailboxMessages)
      return { limit: "mailboxMessages", capacity: mailboxMessages, waiting: this.#waiting };
    if (this.#waiting > 0 && this.#waitingBytes + bytes > mailboxBytes)
      return { limit: "mailboxBytes", capacity: mailboxBytes, waiting: this.#waitingBytes };
    return undefined;
  }

  get(deliveryId: string): StoredDelivery | undefined {
    return this.#open.get(deliveryId);
  }

  /** It is stored; it waits for its turn from now on. */
  add(delivery: StoredDelivery): void {
    this.hold(delivery);
    this.enqueue(delivery.deliveryId);
  }

  /** It has room from now on; whoever holds it enqueues it once it is stored, or is done with it. */
  hold(delivery: StoredDelivery): void {
    this.#open.set(delivery.deliveryId, delivery);
    this.#count(delivery, 1);
    this.#sweepLater();
  }

  enqueue(deliveryId: string): void {
    const delivery = this.#open.get(deliveryId);
    if (delivery === undefined) return;
    const due = delivery.acceptedAt + delivery.priority * DEFAULTS.priorityAgingMs;
    void this.#queue.add(() => this.#deliver(deliveryId), { priority: -due });
  }

  /** From now on, one after the other. */
  start(): void {
    this.#isStarted = true;
    this.#run();
  }

  /** The one on its way ends as it does; no other begins. */
  pause(): void {
    this.#isStarted = false;
    this.#run();
  }

  /** What waits stays here, started or not, or goes on. */
  setHeld(isHeld: boolean): void {
    this.#isHeld = isHeld;
    this.#flushed = 0;
    this.#run();
  }

  /** As many as wait now are delivered, held or not. */
  flush(): number {
    const count = this.#queue.size;
    this.#flushed = count;
    this.#run();
    return count;
  }

  /** A try with it failed, and another may help. False: it is over, or was tried often enough and is a dead letter. */
  retry(deliveryId: string): boolean {
    const delivery = this.#open.get(deliveryId);
    if (delivery === undefined) return false;
    const { next, change, told } = again(delivery);
    this.#open.set(deliveryId, next);
    if (next.attempts >= DEFAULTS.deliveryAttempts) {
      this.step(deliveryId, { state: "dead_lettered", reason: "too_many_attempts" });
      return false;
    }
    this.#options.parts.journal.gather(change, told);
    return true;
  }

  /** Writes what became of it. False: it can't, or is over already. */
  step(deliveryId: string, step: Step): boolean {
    const delivery = this.#open.get(deliveryId);
    if (delivery === undefined) return false;
    const { parts, undelivered } = this.#options;
    const advanced = advance(delivery, step, parts.now());
    if (advanced === undefined) return false;
    const { next, change, told } = advanced;
    // An end that nobody saw coming is proved by nothing else.
    if (isUnseenEnd(next)) undelivered(advanced);
    else parts.journal.gather(change, told);
    this.#count(delivery, -1);
    this.#count(next, 1);
    if (isLast(next.state)) this.#forget(deliveryId);
    else this.#open.set(deliveryId, next);
    return true;
  }

  /** Nothing more will be seen of it: its state stays as it is. */
  done(deliveryId: string): void {
    const delivery = this.#open.get(deliveryId);
    if (delivery === undefined) return;
    this.#count(delivery, -1);
    this.#forget(deliveryId);
  }

  /** Resolves once nothing more becomes of what is in it now. */
  async emptied(): Promise<void> {
    if (this.#open.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#awaited.set(new Set(this.#open.keys()), resolve);
    await promise;
  }

  /** Its agent is gone: what it has not seen are dead letters, what it was at has failed. */
  close(reason: DeliveryReason): void {
    this.#isClosed = true;
    this.#queue.pause();
    this.#queue.clear();
    this.#cancelSweep?.();
    for (const delivery of Array.from(this.#open.values())) {
      const state = wasSeen(delivery) ? "failed" : "dead_lettered";
      this.step(delivery.deliveryId, { state, reason });
    }
  }

  #run(): void {
    if (this.#isClosed) return;
    if (this.#isStarted && (!this.#isHeld || this.#flushed > 0)) this.#queue.start();
    else this.#queue.pause();
  }

  async #deliver(deliveryId: string): Promise<void> {
    this.#flushed = Math.max(0, this.#flushed - 1);
    this.#run();
    const delivery = this.#open.get(deliveryId);
    if (delivery === undefined || this.#isClosed) return;
    if (this.#isTooOld(delivery)) this.#expire(delivery);
    else await this.#options.deliver(delivery);
  }

  #forget(deliveryId: string): void {
    this.#open.delete(deliveryId);
    for (const [ids, resolve] of this.#awaited) {
      ids.delete(deliveryId);
      if (ids.size > 0) continue;
      this.#awaited.delete(ids);
      resolve();
    }
  }

  #expire({ deliveryId }: StoredDelivery): void {
    this.step(deliveryId, { state: "expired", reason: "too_old" });
  }

  #isTooOld({ acceptedAt }: StoredDelivery): boolean {
    return this.#options.parts.now() - acceptedAt >= DEFAULTS.messageAgeMs;
  }

  /** A blocked agent's mail gets old as well. */
  #sweepLater(): void {
    if (this.#cancelSweep !== undefined || this.#isClosed) return;
    // What the agent is at does not get old.
    const oldest = Array.from(this.#open.values()).find(isWaiting);
    if (oldest === undefined) return;
    const { now, clock } = this.#options.parts;
    const dueMs = oldest.acceptedAt + DEFAULTS.messageAgeMs - now();
    this.#cancelSweep = clock.after(Math.max(1, dueMs), () => {
      this.#cancelSweep = undefined;
      for (const delivery of Array.from(this.#open.values())) {
        if (isWaiting(delivery) && this.#isTooOld(delivery)) this.#expire(delivery);
      }
      this.#sweepLater();
    });
  }

  #count(delivery: StoredDelivery, by: 1 | -1): void {
    if (!isWaiting(delivery)) return;
    this.#waiting += by;
    this.#waitingBytes += by * delivery.bytes;
  }
}

function isWaiting({ state }: StoredDelivery): boolean {
  return state === "accepted" || state === "queued";
}
