import { AgentOs } from "@agentos/client";

import { EXIT_CODE } from "../exit-code.ts";
import type { EndSignal, Io } from "../io.ts";
import { flush } from "../output/write.ts";
import { BrokerLog } from "./broker-log.ts";
import { BrokerHome } from "./broker-home.ts";
import { ClientGate } from "./client-gate.ts";
import { HostVms } from "./host-vms.ts";
import { serveBroker } from "./serve-broker.ts";

/** What the end may take, agents included: whoever waits for it waits no longer. */
const END_MS = 800;
const ENDS: readonly EndSignal[] = ["SIGINT", "SIGTERM", "SIGHUP"];

export interface BrokerCommandOptions {
  readonly copy?: boolean;
  readonly driver?: string;
  /** Keeps what waits in `.agent-relay`, for the next broker in the directory. */
  readonly persist?: boolean;
}

/** `agentos relay-broker`: a v1 line protocol on stdin and stdout, over a sidecar that ends with it. */
export async function runBroker(io: Io, options: BrokerCommandOptions): Promise<number> {
  const end = new AbortController();
  const stop = (): void => end.abort();
  for (const signal of ENDS) io.signals.on(signal, stop);
  const log = new BrokerLog(io);
  using home = options.persist === true ? BrokerHome.take(io.directory) : undefined;
  const sidecar = await AgentOs.createSidecar({});
  const vms = new HostVms({ sidecar, copy: options.copy === true, driver: options.driver });
  const gate = new ClientGate(sidecar, vms);
  try {
    const { stdin, stdout, directory } = io;
    const { signal } = end;
    log.info(`serves ${directory}`);
    await serveBroker({ gate, home, stdin, stdout, directory, log, signal });
    log.info("ended");
    await flush(io.stdout);
    return EXIT_CODE.ok;
  } finally {
    for (const signal of ENDS) io.signals.off(signal, stop);
    await within(END_MS, gate[Symbol.asyncDispose]());
  }
}

/** The sidecar sees this process end, whatever is left by then. */
async function within(ms: number, work: Promise<void>): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  await Promise.race([work.catch(() => undefined), late]);
  clearTimeout(timer);
}
