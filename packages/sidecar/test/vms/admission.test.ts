import { AgentOsError } from "@agentos/protocol";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { Admission } from "../../src/vms/admission.ts";
import { FairQueue } from "../../src/vms/fair-queue.ts";

const WAIT_MS = 60_000;
const NEVER = new AbortController().signal;

/** Runs something that holds its slot until it is told to end. */
function held(admission: Admission, asker: string, order: string[] = [], signal = NEVER) {
  const ended = Promise.withResolvers<void>();
  const admitted = admission.run(asker, signal, async () => {
    order.push(asker);
    return { value: asker, ended: ended.promise };
  });
  // Each test looks at those that it cares for.
  admitted.catch(() => undefined);
  return { admitted, end: () => ended.resolve() };
}

function admissionOf(capacity: {
  maxVms: number;
  waitingCreates: number;
  waitingCreateMs?: number;
}): Admission {
  return new Admission({ waitingCreateMs: WAIT_MS, createMs: WAIT_MS, ...capacity });
}

describe("Admission", () => {
  test("serves connections in turn: a flood of one does not delay another's single create", async () => {
    const admission = admissionOf({ maxVms: 1, waitingCreates: 100 });
    const order: string[] = [];
    const first = held(admission, "flood", order);
    await first.admitted;
    const flood = Array.from({ length: 20 }, () => held(admission, "flood", order));
    const single = held(admission, "single", order);
    first.end();
    for (const each of [flood[0], single]) {
      // oxlint-disable-next-line no-await-in-loop -- One slot: each is let in by the end of the one before.
      await each?.admitted;
      each?.end();
    }
    expect(order.slice(0, 3)).toEqual(["flood", "flood", "single"]);
  });

  test("refuses at once what is past the bound, and names limit, capacity and waiting", async () => {
    const admission = admissionOf({ maxVms: 2, waitingCreates: 3 });
    const running = [held(admission, "a"), held(admission, "a")];
    await Promise.all(running.map(({ admitted }) => admitted));
    const waiting = [1, 2, 3].map(() => held(admission, "a"));
    await expect(held(admission, "b").admitted).rejects.toMatchObject({
      code: "POOL_EXHAUSTED",
      retryable: true,
      details: { limit: "maxVms", capacity: 2, waiting: 3 },
    });
    running[0]?.end();
    await waiting[0]?.admitted;
    expect(admission.waiting).toBe(2);
  });

  test("refuses all that come at once past the bound, not only later ones", async () => {
    const admission = admissionOf({ maxVms: 2, waitingCreates: 3 });
    const all = Array.from({ length: 20 }, () => held(admission, "a"));
    const settled = await Promise.all(
      all.slice(5).map(({ admitted }) => admitted.catch((error: AgentOsError) => error.code)),
    );
    expect(settled).toEqual(Array.from({ length: 15 }, () => "POOL_EXHAUSTED"));
    await Promise.all(all.slice(0, 2).map(({ admitted }) => admitted));
  });

  test("gives up waiting after its deadline with POOL_EXHAUSTED", async () => {
    const admission = admissionOf({ maxVms: 1, waitingCreates: 10, waitingCreateMs: 5 });
    await held(admission, "a").admitted;
    await expect(held(admission, "b").admitted).rejects.toMatchObject({ code: "POOL_EXHAUSTED" });
    expect(admission.waiting).toBe(0);
  });

  test("leaves the line when it is cancelled, and says CANCELLED", async () => {
    const admission = admissionOf({ maxVms: 1, waitingCreates: 10 });
    const first = held(admission, "a");
    await first.admitted;
    const controller = new AbortController();
    const order: string[] = [];
    const given = held(admission, "b", order, controller.signal);
    const next = held(admission, "c", order);
    controller.abort(new AgentOsError("CANCELLED", "no longer wanted", { operation: "vm.create" }));
    await expect(given.admitted).rejects.toMatchObject({ code: "CANCELLED" });
    first.end();
    await next.admitted;
    expect(order).toEqual(["c"]);
  });

  test("gives the slot of a failed start back", async () => {
    const admission = admissionOf({ maxVms: 1, waitingCreates: 0 });
    const failing = admission.run("a", NEVER, () => Promise.reject(new Error("no")));
    await expect(failing).rejects.toThrow("no");
    await expect(held(admission, "a").admitted).resolves.toBe("a");
  });
});

describe("FairQueue", () => {
  test("gives each asker a turn before anyone gets a second one, in each one's own order", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 40 }), (askers) => {
        const queue = new FairQueue<string>();
        askers.forEach((asker, index) =>
          queue.enqueue(`${asker}${index}`, { asker, id: String(index) }),
        );
        const served = Array.from({ length: askers.length }, () => queue.dequeue() ?? "");
        const expected: string[] = [];
        const lines = new Map<string, string[]>();
        askers.forEach((asker, index) =>
          lines.set(asker, [...(lines.get(asker) ?? []), `${asker}${index}`]),
        );
        while (expected.length < askers.length) {
          for (const line of lines.values()) expected.push(...line.splice(0, 1));
        }
        expect(served).toEqual(expected);
        expect(queue.size).toBe(0);
      }),
    );
  });

  test("forgets what is removed", () => {
    const queue = new FairQueue<string>();
    queue.enqueue("one", { asker: "a", id: "1" });
    queue.enqueue("two", { asker: "a", id: "2" });
    queue.remove("1");
    queue.remove("unknown");
    expect(queue.size).toBe(1);
    expect(queue.dequeue()).toBe("two");
    expect(queue.dequeue()).toBeUndefined();
  });
});
