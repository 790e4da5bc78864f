import { AgentOs, type LogEnd } from "@agentos/client";
import { expect, test } from "vitest";

import { useWorld } from "./world.ts";

useWorld();

/** What is there now, and where that ends. */
async function readNow(os: AgentOs, id: string): Promise<{ text: string; end: LogEnd }> {
  const chunks = os.logs(id, { follow: false });
  for (let text = ""; ;) {
    // oxlint-disable-next-line no-await-in-loop -- One piece after the other.
    const { done, value } = await chunks.next();
    if (done === true) return { text, end: value };
    text += Buffer.from(value.data).toString();
  }
}

test("[log.now] a log is read up to now, and says where that was", async () => {
  await using os = await AgentOs.create();
  await using job = await os.spawn(["sh", "-c", "seq 100000; read -r line; echo $line"], {
    output: "logged",
    stdin: "pipe",
  });
  const size = 588_895;
  await expect
    .poll(async () => (await readNow(os, job.id)).end, { timeout: 10_000 })
    .toEqual({ stdout: size, stderr: 0, exit: undefined });
  const { text } = await readNow(os, job.id);
  expect(text.endsWith("99999\n100000\n")).toBe(true);
  const writer = job.stdin.getWriter();
  await writer.write("last\n");
  expect(await job.exited).toMatchObject({ exitCode: 0 });
  const { text: all, end } = await readNow(os, job.id);
  expect(all.endsWith("100000\nlast\n")).toBe(true);
  expect(end).toMatchObject({ stdout: size + 5, exit: { outcome: "exited" } });
});

test("[end.channels] an end says what was written and what is still held", async () => {
  await using os = await AgentOs.create();
  expect((await os.exec("echo out; echo error >&2")).channels).toEqual({
    stdout: { bytes: 4, open: false },
    stderr: { bytes: 6, open: false },
  });
  // Only once the child has closed its stderr.
  const child = "(: > ready; exec sleep 1000) 2> /dev/null &";
  const waited = `${child} until [ -e ready ]; do sleep 0.01; done; echo now`;
  await using held = await os.spawn(["sh", "-c", waited]);
  expect((await held.exited).channels).toEqual({
    stdout: { bytes: 4, open: true },
    stderr: { bytes: 0, open: false },
  });
});
