import type { Io } from "../io.ts";
import { write } from "../output/write.ts";
import { type BrokerArguments, parseBrokerArguments } from "../relay-broker/broker-arguments.ts";
import { runBroker } from "../relay-broker/run-broker.ts";

/** As old clients know it. */
const USAGE_EXIT_CODE = 2;
const FAILED_EXIT_CODE = 1;

/** `agentos relay-broker [init] …`. */
export async function relayBroker(io: Io, args: readonly string[]): Promise<number> {
  let parsed: BrokerArguments;
  try {
    parsed = parseBrokerArguments(args);
  } catch (error) {
    await write(io.stderr, `agentos: ${error instanceof Error ? error.message : ""}\n`);
    return USAGE_EXIT_CODE;
  }
  try {
    return await runBroker(io, parsed);
  } catch (error) {
    // The last line on stderr is all that the client's user sees.
    const reason = error instanceof Error ? error.message : String(error);
    await write(io.stderr, `agentos: ${reason.replaceAll(/\s+/g, " ")}\n`);
    return FAILED_EXIT_CODE;
  }
}
