import { parseArgument, Port } from "@agentos/protocol";
import * as z from "zod";

export interface ConnectOptions {
  signal?: AbortSignal | undefined;
}

/** What `fetch` takes of the standard's options. */
export interface FetchInit {
  method?: string | undefined;
  headers?: ConstructorParameters<typeof Headers>[0];
  body?: ConstructorParameters<typeof Response>[0];
  signal?: AbortSignal | undefined;
}

export interface ForwardOptions {
  /** The port on 127.0.0.1 here. Default: one that is free. */
  localPort?: number | undefined;
}

/** A port of this machine that leads into the VM. Disposing closes it and its connections. */
export interface PortForward extends AsyncDisposable {
  /** In the VM. */
  readonly port: number;
  /** On 127.0.0.1 here. */
  readonly localPort: number;
  /** `127.0.0.1:<localPort>`. */
  readonly address: string;
  /** `http://127.0.0.1:<localPort>`. */
  readonly url: string;
}

const Connect = z.strictObject({
  signal: z.instanceof(AbortSignal, { error: "expected an AbortSignal" }).optional(),
});
const Forward = z.strictObject({ localPort: z.int().min(0).max(65_535).optional() });

export const parsePort = (value: number): number => parseArgument(Port, value, "port");
export const parseConnectOptions = (value: ConnectOptions): z.infer<typeof Connect> =>
  parseArgument(Connect, value, "options");
export const parseForwardOptions = (value: ForwardOptions): z.infer<typeof Forward> =>
  parseArgument(Forward, value, "options");
