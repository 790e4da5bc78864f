import { setTimeout as delay } from "node:timers/promises";

import type { AgentOs, SentMessage } from "@agentos/client";
import { type Delivery, isAgentOsError } from "@agentos/protocol";
import * as z from "zod";

import type { Pool } from "./pool.ts";
import type { Random } from "./random.ts";

const VMS = 2;
const AGENTS_PER_VM = 3;
const SENDERS = 3;
/** The kill comes at any moment of this. */
const LONGEST_WAIT_MS = 300;

/** Writes down which message it got. Some take a while, and some fail. */
const AGENT = `
text=$(cat)
printf '%s' "$text" | grep -o 'mark-[0-9]*' >> "/workspace/heard-$0"
case $text in *slow*) sleep 0.05;; *fail*) exit 3;; esac
`;

export interface RelayKills {
  rounds: number;
  /** Sent in each round, to one agent or to all of them. */
  messages: number;
  random: Random;
}

/** A message of this run, and what the relay says of it. */
interface Accepted {
  mark: string;
  sender: string;
  sent: SentMessage;
}

/** Kills the pool's sidecar while messages go to agents in VMs, and one of the agents is released; gives back what was not as it should be. */
export async function relayKills(
  pool: Pool,
  { rounds, messages, random }: RelayKills,
): Promise<string[]> {
  const vms = await Promise.all(Array.from({ length: VMS }, () => pool.create()));
  await Promise.all(vms.map((os, index) => spawnAgents(os, index)));
  const accepted: Accepted[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const of = { first: round * messages, messages, random };
    accepted.push(...(await killRound(pool, vms, `gone ${round}`, of)));
  }
  const wrong = await differences(vms, accepted);
  for (const os of vms) await os.dispose();
  return wrong;
}

async function spawnAgents(os: AgentOs, vm: number): Promise<void> {
  for (let index = 0; index < AGENTS_PER_VM; index += 1)
    await spawn(os, `agent ${vm * AGENTS_PER_VM + index}`);
}

async function spawn(os: AgentOs, name: string): Promise<void> {
  await os.relay.spawn(name, {
    runtime: "command",
    command: "sh",
    args: ["-c", AGENT, name],
    channels: ["all"],
  });
}

async function killRound(
  pool: Pool,
  vms: readonly AgentOs[],
  gone: string,
  { first, messages, random }: { first: number; messages: number; random: Random },
): Promise<Accepted[]> {
  const [os] = vms;
  if (os === undefined) return [];
  await spawn(os, gone);
  const sends = Array.from({ length: messages }, (_, index) =>
    send(os, first + index, targetOf(gone, random), random),
  );
  await delay(random() * LONGEST_WAIT_MS);
  const released = release(os, gone);
  await delay(random() * 10);
  await pool.kill();
  await released;
  // Its answer may be among what was lost.
  await release(os, gone);
  const accepted = (await Promise.all(sends)).filter((each) => each !== undefined);
  await Promise.all(accepted.map(({ sent }) => ended(sent)));
  return accepted;
}

function targetOf(gone: string, random: Random): string {
  const luck = random();
  if (luck < 0.1) return "#all";
  if (luck < 0.3) return gone;
  return `agent ${Math.floor(random() * VMS * AGENTS_PER_VM)}`;
}

/** Undefined: there was no such agent any more, and it was said so. */
async function send(
  os: AgentOs,
  index: number,
  to: string,
  random: Random,
): Promise<Accepted | undefined> {
  const mark = `mark-${index}`;
  const sender = `human:s${index % SENDERS}`;
  const kinds = ["quick", "quick", "slow", "fail"];
  const text = `${mark} ${kinds[Math.floor(random() * kinds.length)]}`;
  try {
    const sent = await os.relay.send(to, text, { id: `m-${index}`, from: sender, mode: "wait" });
    return { mark, sender, sent };
  } catch (error) {
    if (isAgentOsError(error, "NOT_FOUND")) return undefined;
    throw error;
  }
}

async function release(os: AgentOs, name: string): Promise<void> {
  try {
    await os.relay.release(name);
  } catch (error) {
    if (isAgentOsError(error, "NOT_FOUND")) return;
    if (!isAgentOsError(error) || !error.retryable) throw error;
    // The sidecar went away in the middle of it.
    await release(os, name);
  }
}

/** Once nothing more becomes of it, at any of its recipients. */
async function ended(sent: SentMessage): Promise<void> {
  await sent.until("answered").catch((error: unknown) => {
    if (!isAgentOsError(error, "NOT_DELIVERED")) throw error;
  });
  // One that can't be answered ends the wait for the others.
  while ((await sent.deliveries()).some(({ state }) => !LAST.includes(state))) await delay(20);
}

const Notice = z.object({ messageId: z.string(), recipient: z.string() });

const LAST = ["answered", "failed", "expired", "dead_lettered"];

async function differences(
  vms: readonly AgentOs[],
  accepted: readonly Accepted[],
): Promise<string[]> {
  const heard = await heardIn(vms);
  const told = await toldTo(vms);
  const wrong = await Promise.all(
    accepted.map(async ({ mark, sender, sent }) => {
      const deliveries = await sent.deliveries();
      return deliveries.flatMap((delivery) => {
        const times = heard.get(`${delivery.recipient} ${mark}`) ?? 0;
        const isTold = told.has(`${sender} ${sent.id} ${delivery.recipient}`);
        return isRight(delivery, times, isTold)
          ? []
          : [`${mark} ${JSON.stringify(delivery)}: heard ${times} times, told: ${isTold}`];
      });
    }),
  );
  return wrong.flat();
}

/** Heard once, or never and its sender knows. A turn that was cut off may have heard it. */
function isRight({ state, reason, attempts }: Delivery, times: number, isTold: boolean): boolean {
  if (attempts > 1) return false;
  if (state === "answered") return times === 1 && !isTold;
  if (state === "dead_lettered") return times === 0 && isTold;
  return state === "failed" && times <= 1 && (times === 1 || reason !== "turn_failed");
}

/** How often each agent wrote each mark down. */
async function heardIn(vms: readonly AgentOs[]): Promise<Map<string, number>> {
  const heard = new Map<string, number>();
  for (const os of vms) {
    const { stdout } = await os.exec("cd /workspace && grep -r . heard-*");
    for (const line of stdout.trimEnd().split("\n")) {
      const key = line.replace(/^heard-/, "").replace(":", " ");
      heard.set(key, (heard.get(key) ?? 0) + 1);
    }
  }
  return heard;
}

/** Which messages each sender was told of, and at whom. */
async function toldTo([os]: readonly AgentOs[]): Promise<Set<string>> {
  const told = new Set<string>();
  if (os === undefined) return told;
  for (let index = 0; index < SENDERS; index += 1) {
    const of = `human:s${index}`;
    for (;;) {
      const entries = await os.relay.inbox({ of, take: true, limit: 1_000 });
      if (entries.length === 0) break;
      for (const { message } of entries) {
        const { messageId, recipient } = Notice.parse(message.data);
        told.add(`${of} ${messageId} ${recipient}`);
      }
    }
  }
  return told;
}
