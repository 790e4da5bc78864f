import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { execa } from "execa";

const RUN_MS = 120_000;

/** How a program ended. */
export interface ProgramEnd {
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** The folder of somebody who has nothing but Node and npm: no clone, no configuration, no cache. */
export class EmptyFolder implements AsyncDisposable {
  readonly path: string;
  readonly #env: Readonly<Record<string, string>>;

  static async make(registry: string): Promise<EmptyFolder> {
    const path = await mkdtemp(join(tmpdir(), "aos-"));
    const project = { name: "consumer", version: "1.0.0", private: true, type: "module" };
    await writeFile(join(path, "package.json"), JSON.stringify(project));
    await mkdir(join(path, "home"));
    return new EmptyFolder(path, registry);
  }

  private constructor(path: string, registry: string) {
    this.path = path;
    this.#env = {
      PATH: process.env["PATH"] ?? "",
      HOME: join(path, "home"),
      AGENTOS_RUNTIME_DIR: join(path, "r"),
      AGENTOS_STATE_DIR: join(path, "s"),
      npm_config_registry: registry,
      npm_config_cache: join(path, "cache"),
      npm_config_userconfig: join(path, "home", ".npmrc"),
      npm_config_globalconfig: join(path, "home", "npmrc"),
      npm_config_update_notifier: "false",
      npm_config_audit: "false",
      npm_config_fund: "false",
    };
  }

  /** `npm install …`, as it would be typed. */
  async npmInstall(...words: readonly string[]): Promise<ProgramEnd> {
    return this.run("npm", ["install", ...words]);
  }

  /** Runs a file of this folder with a Node. */
  async node(node: string, ...words: readonly string[]): Promise<ProgramEnd> {
    // What it starts in its turn must find the same Node.
    const path = `${dirname(node)}:${this.#env["PATH"] ?? ""}`;
    return this.run(node, words, { PATH: path });
  }

  async run(
    program: string,
    words: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Promise<ProgramEnd> {
    const { exitCode, stdout, stderr } = await execa(program, words, {
      cwd: this.path,
      env: { ...this.#env, ...env },
      extendEnv: false,
      stdin: "ignore",
      reject: false,
      timeout: RUN_MS,
    });
    return { exitCode, stdout, stderr };
  }

  async write(name: string, text: string): Promise<void> {
    await writeFile(join(this.path, name), text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}
