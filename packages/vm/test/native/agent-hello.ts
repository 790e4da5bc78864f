// Adoption: a new sidecar's first words.
import { connect } from "node:net";

import { secretByte, type Agent } from "./agent-harness.ts";
import { AgentLink } from "./agent-link.ts";
import { Kind, u32, u64, type Frame } from "./frame-codec.ts";

export interface Hello {
  readonly version?: number;
  readonly epoch?: number;
  readonly secret?: number;
}

export async function connectTo(agent: Agent): Promise<AgentLink> {
  const socket = connect(agent.socketPath);
  await new Promise((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", reject);
  });
  return new AgentLink(socket);
}

export async function hello(
  agent: Agent,
  { version = 3, epoch = 5, secret = secretByte }: Hello = {},
): Promise<{ link: AgentLink; answer: Frame }> {
  const link = await connectTo(agent);
  link.send(Kind.hello, 0, 0, Buffer.concat([u32(version), u64(epoch), Buffer.alloc(32, secret)]));
  return { link, answer: await link.next(0) };
}
