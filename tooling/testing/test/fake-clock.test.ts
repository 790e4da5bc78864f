import { expect, test } from "vitest";

import { FakeClock } from "../src/fake-clock.ts";

test("timers fire in the order they fall due, each at its own time", () => {
  const clock = new FakeClock();
  const fired: string[] = [];
  clock.after(20, () => fired.push(`late at ${clock.now()}`));
  clock.after(10, () => {
    fired.push(`early at ${clock.now()}`);
    clock.after(5, () => fired.push(`nested at ${clock.now()}`));
  });
  clock.advance(20);
  expect(fired).toEqual(["early at 10", "nested at 15", "late at 20"]);
  expect(clock.now()).toBe(20);
});

test("a cancelled timer does not fire", () => {
  const clock = new FakeClock();
  let fired = false;
  const cancel = clock.after(10, () => {
    fired = true;
  });
  cancel();
  clock.advance(10);
  expect(fired).toBe(false);
});
