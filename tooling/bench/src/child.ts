import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** A program of this folder that ends with its standard input. */
export class Child implements AsyncDisposable {
  /** Its first line. */
  readonly said: string;
  readonly #process: ChildProcess;

  static async start(name: string, args: readonly string[] = []): Promise<Child> {
    const file = fileURLToPath(new URL(`${name}.js`, import.meta.url));
    const child = spawn(process.execPath, [file, ...args], { stdio: ["pipe", "pipe", "inherit"] });
    const said = await new Promise<Buffer>((resolve) => {
      child.stdout.once("data", resolve);
    });
    return new Child(child, said.toString("utf8").trim());
  }

  private constructor(child: ChildProcess, said: string) {
    this.#process = child;
    this.said = said;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#process, "exit");
    this.#process.stdin?.end();
    await ended;
  }
}
