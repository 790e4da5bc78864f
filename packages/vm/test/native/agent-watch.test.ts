import { afterAll, beforeAll, describe, expect, it } from "vitest";

import {
  appendFile,
  chmod,
  mkdir,
  mkdtemp,
  rename,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";

import { WatchReader, type WatchRecord } from "@agentos/protocol";

import { canRunAgent, startAgent, type Agent } from "./agent-harness.ts";
import { runCommand } from "./agent-run.ts";
import { Kind, type Frame } from "./frame-codec.ts";

/** A watch of the agent, and what it has told. */
class Watch {
  readonly told: string[] = [];
  acknowledges: boolean;
  readonly #agent: Agent;
  readonly stream: number;
  readonly #reader = new WatchReader();
  #received = 0;
  #wake: () => void = () => undefined;
  exited = false;

  constructor(agent: Agent, args: string[], acknowledges = true) {
    this.#agent = agent;
    this.acknowledges = acknowledges;
    this.stream = agent.link.exec(["watch", ...args], { builtin: true, window: 4096 });
    agent.link.listen(this.stream, (frame) => this.#take(frame));
  }

  /** Resolves once it was told, and gives what was told until then. */
  async until(text: string): Promise<string[]> {
    while (!this.told.includes(text))
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    return this.told.splice(0);
  }

  async gone(): Promise<void> {
    while (!this.exited)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
  }

  acknowledge(): void {
    this.#agent.link.ack(this.stream, 1, this.#received);
  }

  #take({ kind, payload }: Frame): void {
    if (kind === Kind.out) {
      this.told.push(...this.#reader.push(payload).map(said));
      this.#received += payload.length;
      if (this.acknowledges) this.acknowledge();
    }
    if (kind === Kind.exit) this.exited = true;
    this.#wake();
  }
}

function said({ kind, path, from, isDirectory }: WatchRecord): string {
  const what = from === "" ? path : `${from} -> ${path}`;
  return `${kind} ${what}${isDirectory ? "/" : ""}`.trim();
}

describe.runIf(canRunAgent)("watches of the agent", () => {
  let agent: Agent;
  let folder: string;
  beforeAll(async () => {
    agent = await startAgent();
    folder = await mkdtemp(join(tmpdir(), "vmd-watch-"));
  }, 180_000);
  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  async function top(name: string): Promise<string> {
    const path = join(folder, name);
    await mkdir(path);
    return path;
  }

  it("tells what comes, changes, goes and is renamed, everywhere below", async () => {
    const path = await top("all");
    await mkdir(join(path, "old/deep"), { recursive: true });
    const watch = new Watch(agent, [path, "recursive"]);
    await watch.until("ready");
    await writeFile(join(path, "old/deep/file"), "x");
    expect(await watch.until("modified old/deep/file")).toContain("created old/deep/file");
    await chmod(join(path, "old/deep/file"), 0o600);
    await watch.until("modified old/deep/file");
    await mkdir(join(path, "new/within"), { recursive: true });
    await writeFile(join(path, "new/within/file"), "x");
    await watch.until("created new/within/file");
    await rename(join(path, "new"), join(path, "old/moved"));
    await watch.until("renamed new -> old/moved/");
    // Its watches moved with it.
    await appendFile(join(path, "old/moved/within/file"), "y");
    await watch.until("modified old/moved/within/file");
    await symlink("/", join(path, "link"));
    await watch.until("created link");
    await rename(join(path, "old/moved"), join(folder, "elsewhere"));
    await watch.until("removed old/moved/");
    await writeFile(join(folder, "elsewhere/unseen"), "x");
    await rm(join(path, "old"), { recursive: true });
    expect(await watch.until("removed old/")).not.toContain("created old/moved/unseen");
    await rm(path, { recursive: true });
    await watch.until("removed");
    await watch.gone();
    agent.link.release(watch.stream);
  });

  it("looks no deeper than it is asked to, and at one file", async () => {
    const path = await top("flat");
    await mkdir(join(path, "sub"));
    const flat = new Watch(agent, [path]);
    await flat.until("ready");
    await writeFile(join(path, "sub/unseen"), "x");
    await writeFile(join(path, "seen"), "x");
    expect(await flat.until("created seen")).not.toContain("created sub/unseen");
    const one = new Watch(agent, [join(path, "seen")]);
    await one.until("ready");
    await appendFile(join(path, "seen"), "y");
    expect(await one.until("modified")).toEqual(["modified"]);
    agent.link.signal(one.stream, constants.signals.SIGKILL);
    await one.gone();
    agent.link.release(one.stream);
    agent.link.release(flat.stream);
  });

  it("says that it could not see everything for a reader that was away", async () => {
    const path = await top("flood");
    const watch = new Watch(agent, [path], false);
    await watch.until("ready");
    const flood = "seq 1 30000 | xargs touch";
    expect((await runCommand(agent.link, ["/bin/sh", "-c", flood], { cwd: path })).code).toBe(0);
    watch.acknowledges = true;
    watch.acknowledge();
    await watch.until("overflow");
    agent.link.release(watch.stream);
    await agent.link.ping();
  });

  it("ends with its release, and refuses what is not there", async () => {
    const path = await top("ends");
    const watch = new Watch(agent, [path]);
    await watch.until("ready");
    agent.link.release(watch.stream);
    const failed = await runCommand(agent.link, ["watch", join(path, "none")], { builtin: true });
    expect([failed.code, failed.stderr.toString()]).toEqual([1, "2 watch "]);
    // The shell itself is the only one that is left.
    const alone = `until [ "$(pgrep -c -P ${agent.pid})" = 1 ]; do sleep 0.02; done`;
    expect((await runCommand(agent.link, ["/bin/sh", "-c", alone])).code).toBe(0);
  });
});
