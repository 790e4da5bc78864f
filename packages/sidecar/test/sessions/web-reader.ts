import type { NetworkPolicy, ToolResult } from "@agentos/protocol";

import { SessionClient } from "./session-client.ts";
import { SessionWorld } from "./session-world.ts";

const POLICY = { rules: [{ tool: "read_url", decision: "allow" }], otherwise: "deny" } as const;

/** What read_url says to an agent, in a VM with that network. */
export class WebReader implements AsyncDisposable {
  readonly #at: SessionWorld;
  readonly session: SessionClient;
  result: ToolResult | undefined;

  static async start(hosts: string[] | undefined, spec: object = { policy: POLICY }) {
    const at = await SessionWorld.start();
    const network: NetworkPolicy =
      hosts === undefined ? { egress: "none" } : { egress: "allow", hosts };
    const { lease } = await at.client.create({ network });
    const reader = new WebReader(at, await SessionClient.createIn(at.client, lease, spec));
    at.runtime.script = async ({ call, prompt }) => {
      reader.result = await call("read_url", { url: prompt });
      return "done";
    };
    return reader;
  }

  constructor(at: SessionWorld, session: SessionClient) {
    this.#at = at;
    this.session = session;
  }

  async read(url: string): Promise<ToolResult & { text: string }> {
    await this.session.prompt(url);
    const { result } = this;
    if (result === undefined) throw new Error("the tool was not called");
    const text = result.content.map((part) => (part.type === "text" ? part.text : "")).join("");
    return { ...result, text };
  }

  get world(): SessionWorld {
    return this.#at;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#at[Symbol.asyncDispose]();
  }
}
