import type { Duplex } from "node:stream";

import type { FakeVm } from "@agentos/testing";
import type { CallbackParams } from "@agentos/protocol";

import { SessionWorld, type Spec } from "../sessions/session-world.ts";

const TOOLS = [
  {
    name: "deploy",
    description: "Deploys a version.\nTo a place.",
    inputSchema: {
      type: "object",
      properties: {
        place: { type: "string", description: "Where to" },
        count: { type: "integer" },
        dryRun: { type: "boolean" },
        tags: { type: "array", items: { type: "string" } },
        options: { type: "object" },
      },
      required: ["place"],
      additionalProperties: false,
    },
    crossesBorder: false,
  },
  {
    name: "forbidden",
    description: "Nobody may.",
    inputSchema: { type: "object" },
    crossesBorder: true,
  },
];

/** A session whose agent opens its tools' door, and waits in its turn while the test is a program of the VM. */
export class ToolWorld implements AsyncDisposable {
  readonly world: SessionWorld;
  readonly calls: CallbackParams[] = [];
  readonly token: string;

  private constructor(world: SessionWorld, token: string) {
    this.world = world;
    this.token = token;
  }

  static async start(spec: Partial<Spec> = {}): Promise<ToolWorld> {
    const opened = Promise.withResolvers<string>();
    const world = await SessionWorld.start(
      async ({ host, signal, forever }) => {
        const door = await host.toolDoor({ signal });
        opened.resolve(door.env["AGENTOS_TOOLS_TOKEN"] ?? "");
        return await forever();
      },
      { runtime: { capabilities: { builtinTools: false } }, spec: { tools: TOOLS, ...spec } },
    );
    const { client, session } = world;
    client.onCallback = async (params) => {
      tools.calls.push(params);
      const input = params.ask.kind === "tool" ? params.ask.input : null;
      const text = `deployed ${JSON.stringify(input)}`;
      return { kind: "tool", isError: false, content: [{ type: "text", text }] };
    };
    const callbacks = TOOLS.map(({ name }) => `tool:${name}`);
    await client.peer.request("session.handle", { ...session.ref, callbacks });
    await session.send("go");
    const tools: ToolWorld = new ToolWorld(world, await opened.promise);
    return tools;
  }

  get vm(): FakeVm {
    const [vm] = this.world.world.driver.vms.values();
    if (vm === undefined) throw new Error("there is no VM");
    return vm;
  }

  /** A program that says hello at the door. */
  dial(mode: string, args: readonly string[] = [], token = this.token): Duplex {
    const socket = this.vm.network.dial({ path: "/run/agentos/tools" });
    socket.on("error", () => undefined);
    const text = Buffer.from(`${[mode, token, ...args].join("\0")}\0`);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(text.byteLength);
    socket.write(Buffer.concat([length, text]));
    return socket;
  }

  /** What `agentos-tool ARGS` prints and ends with. */
  async run(args: readonly string[], token = this.token): Promise<[number, string, string]> {
    const chunks: Buffer[] = [];
    for await (const chunk of this.dial("call", args, token)) chunks.push(chunk);
    let bytes = Buffer.concat(chunks);
    const out: [number, string, string] = [-1, "", ""];
    while (bytes.byteLength > 0) {
      const length = bytes.readUInt32LE(1);
      const payload = bytes.subarray(5, 5 + length);
      const kind = bytes[0] ?? 0;
      if (kind === 3) out[0] = payload[0] ?? -1;
      else out[kind === 1 ? 1 : 2] += payload.toString();
      bytes = bytes.subarray(5 + length);
    }
    return out;
  }

  /** Sends lines of MCP, and resolves with so many answers. */
  async mcp(lines: readonly unknown[], answers: number, token = this.token): Promise<unknown[]> {
    const socket = this.dial("mcp", [], token);
    for (const line of lines) {
      socket.write(`${typeof line === "string" ? line : JSON.stringify(line)}\n`);
    }
    let said = "";
    for await (const chunk of socket) {
      said += String(chunk);
      if (said.split("\n").length > answers) break;
    }
    return said
      .trim()
      .split("\n")
      .map((line): unknown => JSON.parse(line));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.world[Symbol.asyncDispose]();
  }
}
