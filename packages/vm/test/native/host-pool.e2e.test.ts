import { existsSync, readFileSync } from "node:fs";
import { constants } from "node:os";

import { afterEach, describe, expect, it } from "vitest";

import { failure, field, frame, Kind, type Link, u32, u64 } from "./host-link.ts";
import { buildVmd, file, hostPrograms, Spawner, users, Vm } from "./host-vmd.ts";

const program = buildVmd();
const EINVAL = 22;
const { SIGSTOP, SIGCONT, SIGKILL } = constants.signals;
const EVERYBODY = 3;

const running: Spawner[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((spawner) => spawner.stop()));
});

async function start(user = users[0]): Promise<Spawner> {
  if (program === undefined || user === undefined) throw new Error("no vmd");
  const spawner = await Spawner.start(program, user);
  running.push(spawner);
  return spawner;
}

const tagOf = (bytes: Buffer): number => bytes.readUInt16LE(0);
const ofImage = (bytes: Buffer): boolean =>
  tagOf(bytes) <= 22 || (tagOf(bytes) >= 26 && tagOf(bytes) <= 28);

/** A VM that waits for its CONFIG. */
async function pooled(spawner: Spawner, image: Buffer): Promise<{ link: Link; pid: number }> {
  const link = await spawner.connect();
  link.send(spawner.createFrame({ create: [] }), frame(Kind.prepare, image));
  const launched = await link.next();
  return { link, pid: launched?.payload.readUInt32LE() ?? 0 };
}

const everybody = (signal: number): Buffer =>
  frame(Kind.signal, Buffer.concat([u32(signal), Buffer.from([EVERYBODY])]));
const keep = (byte: number): Buffer => frame(Kind.keep, Buffer.from([byte]));
const image = (): Buffer => Buffer.concat(hostPrograms().filter(ofImage));
const rest = (): Buffer[] => hostPrograms().filter((bytes) => !ofImage(bytes));

describe.skipIf(program === undefined)("a pooled VM", () => {
  for (const user of users)
    it(`is configured for ${user.name} in two parts`, async () => {
      const { link, pid } = await pooled(await start(user), image());
      const late = file("/workspace/late", "on the disk\n", 0o644);
      link.send(frame(Kind.config, Buffer.concat([...rest(), late])));
      expect((await link.next())?.kind).toBe(Kind.ready);
      const script = "cat /etc/passwd /workspace/late; ls /proc/1/root 2>&1; mount | grep -c ' / '";
      const { stdout } = await new Vm(link, pid).sh(script);
      expect(stdout).toContain("agent:x:1000");
      expect(stdout).toContain("on the disk\n");
      expect(stdout).toMatch(/\n1\n$/);
    });

  it("ends at once without its link, whatever its grace time is", async () => {
    const { link, pid } = await pooled(await start(), image());
    const command = readFileSync(`/proc/${pid}/stat`, "latin1");
    expect(command).toContain("(vmd)");
    link.close();
    await expect.poll(() => existsSync(`/proc/${pid}`), { timeout: 900, interval: 10 }).toBe(false);
  });

  it("is nobody's when it is sealed, until KEEP says that it is kept", async () => {
    const spawner = await start();
    const spare = await pooled(spawner, image());
    spare.link.send(keep(0), frame(Kind.config, Buffer.concat(rest())));
    expect((await spare.link.next())?.kind).toBe(Kind.ready);
    const kept = await pooled(spawner, image());
    kept.link.send(keep(0), frame(Kind.config, Buffer.concat(rest())), keep(1), frame(Kind.ping));
    expect((await kept.link.next())?.kind).toBe(Kind.ready);
    expect((await kept.link.next())?.kind).toBe(Kind.pong);
    spare.link.close();
    kept.link.close();
    await expect.poll(() => existsSync(`/proc/${spare.pid}`), { interval: 10 }).toBe(false);
    expect(existsSync(`/proc/${kept.pid}`)).toBe(true);
  });

  const refused: [string, () => Buffer[], string][] = [
    ["nothing", () => [frame(Kind.prepare)], "config"],
    [
      "a mount, which belongs to CONFIG",
      () => {
        const mount = field(
          29,
          Buffer.concat([Buffer.from([2, 0]), u64(4096), Buffer.from("m\0/x")]),
        );
        return [frame(Kind.prepare, Buffer.concat([image(), mount]))];
      },
      "config",
    ],
    [
      "a field that PREPARE had",
      () => [
        frame(Kind.prepare, image()),
        frame(Kind.config, Buffer.concat([...rest(), field(20, "again")])),
      ],
      "hostname",
    ],
    [
      "CONFIG without the sizes",
      () => [frame(Kind.prepare, image()), frame(Kind.config)],
      "config",
    ],
  ];
  it.each(refused)("refuses %s", async (_what, frames, step) => {
    const spawner = await start();
    const link = await spawner.connect();
    link.send(spawner.createFrame(), ...frames());
    expect((await link.next())?.kind).toBe(Kind.launched);
    expect(failure(await link.next())).toEqual({ errno: EINVAL, step });
    expect(await link.next()).toBeUndefined();
  });
});

describe.skipIf(program === undefined)("a signal to everybody", () => {
  it("stops, continues and kills every process but PID 1", async () => {
    const vm = await (await start()).create();
    const script = "setsid sleep 1000 </dev/null >/dev/null 2>&1 & disown; (sleep 1000) & wait";
    const ended = vm.sh(script);
    const states = (): string[] => statesBelow(vm.pid);
    await expect.poll(() => states().length, { timeout: 10_000 }).toBe(3);
    vm.link.send(everybody(SIGSTOP));
    await expect.poll(states, { timeout: 10_000 }).toEqual(["T", "T", "T"]);
    vm.link.send(everybody(SIGCONT));
    await expect.poll(states, { timeout: 10_000 }).toEqual(["S", "S", "S"]);
    vm.link.send(everybody(SIGKILL));
    expect(await ended).toMatchObject({ signal: SIGKILL });
    expect(await vm.sh("echo alive")).toMatchObject({ stdout: "alive\n" });
  });

  it("is refused on a stream, and with a number that is none", async () => {
    const vm = await (await start()).create();
    vm.link.send(everybody(99));
    expect(failure(await vm.link.next())).toEqual({ errno: EINVAL, step: "signal" });
    vm.link.send(frame(Kind.signal, Buffer.from([9, 0, 0, 0, EVERYBODY]), 7));
    expect(await vm.link.next()).toBeUndefined();
  });
});

/** The states of the processes that a VM's first process has below it. */
function statesBelow(pid: number): string[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").trim();
  if (children === "") return [];
  return children.split(" ").flatMap((child) => {
    const stat = readFileSync(`/proc/${child}/stat`, "latin1");
    const state = stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3);
    return [state, ...statesBelow(Number(child))];
  });
}
