import { expect, test } from "vitest";

import { EchoWatch } from "../../src/pty/echo-watch.ts";

test("[relay.echo] an echo is what has come onto the screen since, however its lines are broken", () => {
  const screen = { text: "$ hello\nhello\n$" };
  const watch = new EchoWatch(screen, "hello");
  expect(watch.look()).toBe(false);
  screen.text = "$ hello\nhello\n$ hel\nlo";
  expect(watch.look()).toBe(true);
  screen.text = "";
  expect(watch.look()).toBe(true);
  expect(new EchoWatch(screen, " \n").look()).toBe(false);
  const long = new EchoWatch(screen, `${"a b".repeat(500)} the end`);
  screen.text = `> ab${"ab".repeat(80)} the\nend`;
  expect(long.look()).toBe(true);
});
