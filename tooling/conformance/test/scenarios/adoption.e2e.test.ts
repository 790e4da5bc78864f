import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { AgentOs, type VmProcess } from "@agentos/client";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { cutTransfers } from "../chaos/cut-transfers.ts";
import { CuttingProxy } from "../chaos/cutting-proxy.ts";
import { pidsOf, ticksOf } from "../chaos/host-state.ts";
import { killRounds } from "../chaos/kill-rounds.ts";
import { leakCycles } from "../chaos/leak-cycles.ts";
import { Pool } from "../chaos/pool.ts";
import { relayKills } from "../chaos/relay-kills.ts";
import { bytesOf, chaosSeed, randomOf } from "../chaos/random.ts";

const MIB = 1024 * 1024;
let pool: Pool;

beforeEach(() => {
  pool = new Pool();
});
afterEach(async () => {
  await pool[Symbol.asyncDispose]();
});

/** A VM behind a proxy, and the ways to lose its sidecar or its connection. */
interface Losable {
  os: AgentOs;
  proxy: CuttingProxy;
  lose: { sidecar: () => Promise<void>; connection: () => void };
}

async function losable(): Promise<Losable> {
  await (await pool.sidecar()).keep(true);
  await (await pool.sidecar()).dispose();
  const proxy = await CuttingProxy.before(pool.folder);
  const os = await pool.create();
  return { os, proxy, lose: { sidecar: () => pool.kill(), connection: () => proxy.cut() } };
}

/** Reads until `text` is there; vitest's timeout is the bound. */
async function readUntil(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  text: string,
): Promise<string> {
  let read = "";
  while (!read.includes(text)) {
    const { done, value } = await reader.read();
    if (done) break;
    read += Buffer.from(value).toString();
  }
  return read;
}

async function talked(process: VmProcess, word: string): Promise<void> {
  const stdin = process.stdin.getWriter();
  await stdin.write(`${word}\n`);
  stdin.releaseLock();
}

describe("a sidecar or a connection goes away", () => {
  test("[adopt.exec] [adopt.create] [adopt.once] [adopt.stdin] kill -9 in the middle of 20 execs: each byte once, true ends, nothing twice", async () => {
    const seed = chaosSeed();
    const wrong = await killRounds(pool, { rounds: 5, random: randomOf(seed) });
    expect(wrong, `AGENTOS_CHAOS_SEED=${seed}`).toEqual([]);
  });

  test("[relay.kill] kill -9 while messages go to agents: each is heard once, or its sender is told", async () => {
    const seed = chaosSeed();
    const wrong = await relayKills(pool, { rounds: 2, messages: 25, random: randomOf(seed) });
    expect(wrong, `AGENTOS_CHAOS_SEED=${seed}`).toEqual([]);
  });

  test("[resume.transfer] 10 cuts during 20 MiB each way change no byte", async () => {
    const seed = chaosSeed();
    const result = await cutTransfers(pool, { bytes: 20 * MIB, cuts: 10, random: randomOf(seed) });
    expect(result.cuts, `AGENTOS_CHAOS_SEED=${seed}`).toBe(10);
    expect(result.up[1]).toBe(result.up[0]);
    expect(result.down[1]).toBe(result.down[0]);
  });

  test("[resume.connection] [adopt.spawn] spawned processes and logs go on: written, read, ended, released", async () => {
    for (const outage of ["sidecar", "connection"] as const) {
      const { os, proxy, lose } = await losable();
      const process = await os.spawn(
        ["sh", "-c", "while read x; do echo got $x; done; echo bye >&2; exit 6"],
        { stdin: "pipe" },
      );
      const logged = await os.spawn(
        "i=0; while [ $i -lt 200 ]; do echo log $i; i=$((i+1)); sleep 0.005; done; exit 2",
        { output: "logged" },
      );
      const log = os.logs(logged.id)[Symbol.asyncIterator]();
      const stdout = process.stdout.getReader();
      await talked(process, "one");
      expect(await readUntil(stdout, "got one\n")).toBe("got one\n");
      const first = await log.next();
      let logText = first.done === true ? "" : Buffer.from(first.value.data).toString();
      await lose[outage]();
      await talked(process, "two");
      expect(await readUntil(stdout, "got two\n")).toBe("got two\n");
      await process.stdin.close();
      expect(await process.exited).toMatchObject({ exitCode: 6, outcome: "exited" });
      expect((await stdout.read()).done).toBe(true);
      expect(await new Response(process.stderr).text()).toBe("bye\n");
      for (let next = await log.next(); next.done !== true; next = await log.next())
        logText += Buffer.from(next.value.data).toString();
      expect(logText).toBe(Array.from({ length: 200 }, (_, line) => `log ${line}\n`).join(""));
      expect(await logged.exited).toMatchObject({ exitCode: 2 });
      expect((await os.processes()).filter(({ processId }) => processId === process.id)).toEqual(
        [],
      );
      await os.dispose();
      await proxy[Symbol.asyncDispose]();
      await (await pool.sidecar()).shutdown();
    }
  });

  test("[resume.connection] execs with stdin, listings and files go on over the next connection", async () => {
    const { os, proxy, lose } = await losable();
    const data = bytesOf(3 * MIB, 7);
    await os.exec("mkdir /workspace/many; cd /workspace/many; seq 1 2000 | xargs touch");
    const cutting = setInterval(lose.connection, 40);
    const [echo, sum, names, ...ends] = await Promise.all([
      os.exec("cat", { stdin: data, encoding: "buffer" }),
      os.exec("while read x; do echo $x; sleep 0.01; done", {
        stdin: "1\n2\n3\n4\n5\n6\n7\n8\n9\n",
      }),
      os.fs.readdir("/workspace/many"),
      ...Array.from({ length: 10 }, (_, code) => os.exec(`sleep 0.${code}; exit ${code}`)),
    ]);
    clearInterval(cutting);
    expect(Buffer.from(echo.stdout).equals(data)).toBe(true);
    expect(sum.stdout).toBe("1\n2\n3\n4\n5\n6\n7\n8\n9\n");
    expect(names.length).toBe(2000);
    expect(ends.map(({ exitCode }) => exitCode)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(proxy.cuts).toBeGreaterThan(0);
    await os.dispose();
    await proxy[Symbol.asyncDispose]();
  });

  test("a VM that went with its sidecar is lost at once, for everybody who waits", async () => {
    const os = await pool.create();
    const [sidecar = 0, ...rest] = await pidsOf(pool);
    const running = os.exec("sleep 1000").catch((error: unknown) => error);
    const sleeping = await os.spawn(["sleep", "1000"]);
    // The spawner and its VMs too.
    for (const pid of [sidecar, ...rest]) kill(pid);
    expect(await running).toMatchObject({ code: "SIDECAR_LOST" });
    await expect(sleeping.exited).rejects.toMatchObject({ code: "SIDECAR_LOST" });
    await expect(os.exec("true")).rejects.toMatchObject({ code: "SIDECAR_LOST" });
    await os.dispose();
  });

  test("[adopt.unreachable] a sidecar that can't be talked to is ended, and its VMs go to the next one", async () => {
    const sidecar = await pool.sidecar();
    const os = await AgentOs.create({ sidecar, name: "kept" });
    const mark = `sleep ${6_000_000 + process.pid}`;
    await os.spawn(mark, { output: "logged" });
    await os.fs.writeFile("/workspace/file", "kept");
    await os.dispose();
    await pool.kill();
    await sidecar.dispose();
    const unreachable = await AgentOs.getSharedSidecar({
      ...pool.configuration,
      sidecarPath: join(import.meta.dirname, "unreachable-sidecar.mjs"),
    });
    await expect(unreachable.info()).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
    const refused = pool.discoveredPid();
    expect(() => process.kill(refused, 0)).toThrow("ESRCH");
    await unreachable.dispose();
    await using next = await AgentOs.attach("kept", { sidecar: await pool.sidecar() });
    expect(await next.fs.readFile("/workspace/file", "utf8")).toBe("kept");
    expect((await next.processes()).map(({ command }) => command)).toContain(mark);
  });

  test("a dispose while the sidecar is gone leaves nothing", async () => {
    const os = await pool.create();
    const mark = `sleep ${7_000_000 + process.pid}`;
    const running = os.exec(mark).catch((error: unknown) => error);
    await os.info();
    await pool.kill();
    await os.dispose();
    expect(await running).toMatchObject({ code: "DISPOSED" });
    await using next = await pool.create();
    expect((await next.processes()).map(({ command }) => command)).not.toContain(mark);
  });
});

describe("what stays", () => {
  test("[leak.cycles] cycles of VMs leave memory, descriptors, processes, mounts, cgroups and files where they were", async () => {
    const { before, after, grownBytes } = await leakCycles(pool, { cycles: 2, vms: 20 });
    expect(after).toEqual(before);
    expect(grownBytes).toBeLessThan(32 * MIB);
  });

  test("[idle.cpu] an idle VM and an idle sidecar use no CPU", async () => {
    await using os = await pool.create();
    await os.spawn(["sleep", "1000"]);
    await os.exec("true");
    // The warm VMs are made again first.
    await delay(1_000);
    const pids = await pidsOf(pool);
    const before = pids.map(ticksOf);
    await delay(2_000);
    const used = pids.map((pid, index) => ticksOf(pid) - (before[index] ?? 0));
    expect(used.length).toBeGreaterThan(2);
    expect(Math.max(...used)).toBeLessThanOrEqual(2);
  });
});

/** One that went with those before it is gone, which is what was wanted. */
function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}
