import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { AgentOs, type AgentOsSidecar, disposeSharedSidecars } from "@agentos/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const HOLDER = join(import.meta.dirname, "fixtures/holder.ts");

const directory = mkdtempSync(join(tmpdir(), "aos-"));
const places = {
  AGENTOS_RUNTIME_DIR: join(directory, "run"),
  AGENTOS_STATE_DIR: join(directory, "state"),
};
const configuration = {
  runtimeDirectory: places.AGENTOS_RUNTIME_DIR,
  stateDirectory: places.AGENTOS_STATE_DIR,
  idleMs: 1_000,
  leaseGraceMs: 200,
};
let sidecar: AgentOsSidecar;

beforeAll(async () => {
  sidecar = await AgentOs.getSharedSidecar(configuration);
});
afterAll(async () => {
  await sidecar.shutdown();
  await disposeSharedSidecars();
  rmSync(directory, { recursive: true, force: true });
});

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 10));
}

function isAlive(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8").split(" ")[2] !== "Z";
  } catch {
    // No such process.
    return false;
  }
}

describe("one VM", () => {
  let os: AgentOs;
  beforeAll(async () => {
    os = await AgentOs.create({ sidecar });
  });
  afterAll(() => os.dispose());

  test("exec tells stdout, stderr and the end apart", async () => {
    expect(await os.exec("echo out; echo err >&2; exit 3")).toMatchObject({
      exitCode: 3,
      signal: null,
      outcome: "exited",
      stdout: "out\n",
      stderr: "err\n",
      truncated: false,
    });
    expect(await os.exec(["printf", "%s", "a b; c"])).toMatchObject({
      exitCode: 0,
      stdout: "a b; c",
    });
    expect(await os.exec("kill -TERM $$")).toMatchObject({
      exitCode: null,
      signal: "SIGTERM",
      outcome: "signaled",
    });
    expect(await os.exec("sleep 100", { timeoutMs: 50 })).toMatchObject({
      outcome: "timed-out",
      signal: "SIGKILL",
    });
    await expect(os.exec(["no-such-program"])).rejects.toMatchObject({ code: "COMMAND_NOT_FOUND" });
  });

  test("an exec aborted at once ends, though its process was only being started", async () => {
    for (let round = 0; round < 10; round += 1) {
      const controller = new AbortController();
      const pending = os.exec("sleep 100", { signal: controller.signal });
      await Promise.resolve();
      controller.abort();
      expect((await pending).outcome).toBe("cancelled");
    }
  });

  test("1,000 quick execs lose nothing, and megabytes go both ways whole", async () => {
    for (let round = 0; round < 1_000; round += 1) {
      expect((await os.exec(["echo", String(round)])).stdout).toBe(`${round}\n`);
    }
    const text = "0123456789".repeat(500_000);
    expect((await os.exec("cat", { stdin: text })).stdout).toBe(text);
    const { stdout } = await os.exec("head -c 8000000 /dev/zero", { encoding: "buffer" });
    expect(stdout.byteLength).toBe(8_000_000);
  });

  test("50 execs at once keep to themselves", async () => {
    const results = await Promise.all(
      Array.from({ length: 50 }, (_, index) => os.exec(`echo ${index}; exit ${index}`)),
    );
    expect(results.map(({ exitCode, stdout }) => [exitCode, stdout])).toEqual(
      results.map((_, index) => [index, `${index}\n`]),
    );
  });

  test("a spawned process is talked to, signalled and disposed", async () => {
    const cat = await os.spawn(["cat"], { stdin: "pipe" });
    const writer = cat.stdin.getWriter();
    await writer.write("hello");
    await writer.close();
    let text = "";
    for await (const chunk of cat.stdout) text += Buffer.from(chunk).toString();
    expect([text, (await cat.exited).exitCode]).toEqual(["hello", 0]);
    const sleeper = await os.spawn("sleep 100 & wait");
    await sleeper.kill();
    expect(await sleeper.exited).toMatchObject({ signal: "SIGTERM" });
    {
      await using left = await os.spawn(["sleep", "100"]);
      expect((await os.processes()).map(({ pid }) => pid)).toContain(left.pid);
    }
    await until(
      async () => !(await os.processes()).some(({ command }) => command.startsWith("sleep")),
    );
    const fed = await os.spawn(["wc", "-c"], { stdin: Buffer.alloc(1_000_000) });
    expect(
      Buffer.from((await fed.stdout.getReader().read()).value ?? [])
        .toString()
        .trim(),
    ).toBe("1000000");
  });

  test("a logged process is read by its stream and by os.logs", async () => {
    const logged = await os.spawn("echo one; echo two >&2", { output: "logged" });
    await logged.exited;
    const heard: string[] = [];
    for await (const { channel, data } of os.logs(logged.id))
      heard.push(`${channel}:${Buffer.from(data).toString()}`);
    expect(heard.toSorted()).toEqual(["stderr:two\n", "stdout:one\n"]);
    let text = "";
    for await (const chunk of logged.stdout) text += Buffer.from(chunk).toString();
    expect(text).toBe("one\n");
  });

  test("files of any size are written and read, by piece or whole", async () => {
    const bytes = Buffer.alloc(5_000_000, "0123456789abcde");
    await os.fs.writeFile("/workspace/big", bytes);
    expect(Buffer.compare(Buffer.from(await os.fs.readFile("/workspace/big")), bytes)).toBe(0);
    let read = 0;
    for await (const chunk of os.fs.readStream("/workspace/big", { start: 10, length: 3_000_000 }))
      read += chunk.byteLength;
    expect(read).toBe(3_000_000);
    await os.fs.writeFile("/workspace/empty", "");
    expect(await os.fs.readFile("/workspace/empty", "utf8")).toBe("");
    expect(await os.fs.readdir("/workspace")).toEqual(["big", "empty"]);
    await Promise.all(
      Array.from({ length: 100 }, (_, index) => os.fs.writeFile(`/tmp/${index}`, String(index))),
    );
    const texts = await Promise.all(
      Array.from({ length: 100 }, (_, index) => os.fs.readFile(`/tmp/${index}`, "utf8")),
    );
    expect(texts).toEqual(texts.map((_, index) => String(index)));
  });

  test("a directory of 3,000 names is listed whole", async () => {
    await os.exec(
      "mkdir many && cd many && seq -f 'a-rather-long-name-to-fill-the-frames-%05g' 3000 | xargs touch",
    );
    expect((await os.fs.readdir("/workspace/many")).length).toBe(3000);
  });

  test("a tree goes in and out with its modes and links", async () => {
    const source = join(directory, "tree");
    mkdirSync(join(source, "a/b"), { recursive: true });
    for (let index = 0; index < 100; index += 1)
      writeFileSync(join(source, "a/b", `f${index}`), `content ${index}`);
    writeFileSync(join(source, "large"), Buffer.alloc(1_000_000, "x"));
    chmodSync(join(source, "a/b/f0"), 0o750);
    symlinkSync("a/b/f0", join(source, "link"));
    chmodSync(join(source, "a"), 0o555);
    const sent = await os.fs.upload(source, "/workspace/tree");
    expect(sent).toMatchObject({ files: 101, directories: 3, links: 1, skipped: [] });
    expect(
      (
        await os.exec("stat -c %a a a/b/f0; readlink link; wc -c < large; ls a/b | wc -l", {
          cwd: "/workspace/tree",
        })
      ).stdout,
    ).toBe("555\n750\na/b/f0\n1000000\n100\n");
    const back = join(directory, "back");
    const got = await os.fs.download("/workspace/tree", back);
    expect(got).toEqual(sent);
    expect([
      statSync(join(back, "a")).mode & 0o777,
      statSync(join(back, "a/b/f0")).mode & 0o777,
    ]).toEqual([0o555, 0o750]);
    expect(readlinkSync(join(back, "link"))).toBe("a/b/f0");
    expect(readFileSync(join(back, "a/b/f99"), "utf8")).toBe("content 99");
    for (const path of [join(source, "a"), join(back, "a")]) chmodSync(path, 0o755);
  });
});

test("a client killed with SIGKILL leaves nothing after the grace", async () => {
  const holder = spawn(process.execPath, [HOLDER], {
    env: { PATH: process.env["PATH"], ...places },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line]: Buffer[] = await once(holder.stdout, "data");
  const { vmId, sidecarPid }: { vmId: string; sidecarPid: number } = JSON.parse(String(line));
  const listed = async (): Promise<string[]> =>
    (await AgentOs.list({ sidecar })).map((vm) => vm.vmId);
  expect(await listed()).toContain(vmId);
  expect((await sidecar.info()).pid).toBe(sidecarPid);
  holder.kill("SIGKILL");
  await until(async () => !(await listed()).includes(vmId));
  // Ending ones count until nothing of them is left.
  await until(async () => (await sidecar.info()).vms === 0);
});

test("after SIGKILL of an explicit sidecar old handles say SIDECAR_LOST at once, and the next create works", async () => {
  await using own = await AgentOs.createSidecar(configuration);
  const os = await AgentOs.create({ sidecar: own });
  const { sidecarPid } = await os.info();
  const exec = os.exec("sleep 100").catch((reason: unknown) => reason);
  const spawned = await os.spawn(["sleep", "100"]);
  const read = os.fs.readFile("/etc/passwd");
  await read;
  process.kill(sidecarPid, "SIGKILL");
  expect(await exec).toMatchObject({ code: "SIDECAR_LOST", details: { vmId: os.id } });
  await expect(spawned.exited).rejects.toMatchObject({ code: "SIDECAR_LOST" });
  await expect(os.fs.readFile("/etc/passwd")).rejects.toMatchObject({ code: "SIDECAR_LOST" });
  const next = await AgentOs.create({ sidecar: own });
  expect((await next.exec("echo again")).stdout).toBe("again\n");
  expect((await next.info()).sidecarPid).not.toBe(sidecarPid);
  await os.dispose();
});

test("an explicit sidecar ends with its last VM, and its files with it", async () => {
  const own = await AgentOs.createSidecar(configuration);
  const os = await AgentOs.create({ sidecar: own });
  const { sidecarPid, sidecarId } = await os.info();
  expect(sidecarId).toBe(own.describe().sidecarId);
  expect((await os.exec("echo mine")).stdout).toBe("mine\n");
  await os.dispose();
  expect(isAlive(sidecarPid)).toBe(false);
  await own.dispose();
});

test("a shared sidecar is kept or ended when asked to, and ends itself when idle", async () => {
  await sidecar.keep(true);
  const { pid } = await sidecar.info();
  expect(await sidecar.shutdown()).toBe(true);
  await until(() => !isAlive(pid));
  expect(await sidecar.shutdown()).toBe(false);
  const os = await AgentOs.create({ sidecar });
  const { sidecarPid } = await os.info();
  await os.dispose();
  await until(() => !isAlive(sidecarPid));
});
