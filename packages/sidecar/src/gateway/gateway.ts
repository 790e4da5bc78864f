import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";

import type {
  AgentEndpoint,
  Clock,
  ModelApi,
  ModelGateway,
  ModelRoute,
  VmHandle,
} from "@agentos/core";
import type { AgentOsError, RateLimitWindow } from "@agentos/protocol";
import type { ModelPrice } from "@agentos/runtimes";

import { vmToken, VmTokens } from "../keys/vm-tokens.ts";
import { VmDoors } from "../vms/vm-doors.ts";
import { GATEWAY_BOUNDS } from "./gateway-bounds.ts";
import { guestCredentials } from "./guest-headers.ts";
import { GuestServer } from "./guest-server.ts";
import { matchPath, type PathMatch, queryKeys } from "./model-paths.ts";
import { Passage } from "./passage.ts";
import { ProviderClient } from "./provider-client.ts";
import { providerTarget } from "./provider-target.ts";
import { type Refusal, refusalOf, refuse } from "./refusal.ts";
import { SessionRoute } from "./session-route.ts";

export interface GatewayOptions {
  /** The pool's secret: tokens come from it, so that the next life of the sidecar knows them. */
  readonly key: Uint8Array;
  readonly clock: Clock;
  /** What tokens cost. Default: the list prices of this build. */
  readonly prices?: readonly ModelPrice[] | undefined;
  /** Where the programs of a VM find the gateway: its port on their loopback. Rejects with `UNSUPPORTED`. */
  readonly openDoor: (vm: VmHandle) => Promise<number>;
}

/** The sidecar's model proxy: agents in VMs call their models through it, and have no key. */
export class Gateway implements ModelGateway, Disposable {
  readonly #options: GatewayOptions;
  readonly #client = new ProviderClient();
  readonly #routes = new VmTokens<SessionRoute>();
  readonly #server: GuestServer;

  /** At its door in every VM that has an agent. */
  static inVms(options: Omit<GatewayOptions, "openDoor">): Gateway {
    const { port, ports } = GATEWAY_BOUNDS;
    const doors = new VmDoors({
      what: "model",
      places: Array.from({ length: ports }, (_, index) => ({ port: port + index })),
      onSocket: (socket, vmKey) => gateway.accept(socket, vmKey),
    });
    const openDoor = async (vm: VmHandle): Promise<number> => (await doors.open(vm)).port ?? 0;
    const gateway = new Gateway({ ...options, openDoor });
    return gateway;
  }

  constructor(options: GatewayOptions) {
    this.#options = options;
    this.#server = new GuestServer(options.clock, (request, response, vmKey) =>
      this.#answer(request, response, vmKey),
    );
  }

  async open(route: ModelRoute, { signal }: { signal: AbortSignal }): Promise<AgentEndpoint> {
    const target = providerTarget(route.provider);
    const vm = route.vm.handle();
    const port = await this.#options.openDoor(vm);
    signal.throwIfAborted();
    const { vmId: vmKey } = vm;
    const { sessionId } = route;
    const token = vmToken(this.#options.key, { use: "model", vmKey, sessionId });
    const opened = new SessionRoute(route, target);
    const end = this.#routes.add(token, vmKey, opened);
    return new OpenEndpoint(opened, { port, token, end });
  }

  /** Takes a connection that a program of the VM made. */
  accept(socket: Duplex, vmKey: string): void {
    this.#server.accept(socket, vmKey);
  }

  [Symbol.dispose](): void {
    for (const route of this.#routes.values) route.closed.abort();
    this.#routes.clear();
    this.#server[Symbol.dispose]();
    this.#client[Symbol.dispose]();
  }

  async #answer(request: IncomingMessage, response: ServerResponse, vmKey: string): Promise<void> {
    const { method = "GET", url = "/", headers } = request;
    const credentials = guestCredentials(headers, queryKeys(url));
    const route = this.#routes.find(credentials, vmKey);
    const api = route?.target.api ?? apiOf(url);
    const match = matchPath(api, method, url);
    // It tells nothing, and clients ask without a key.
    if (match.kind === "greeting") return void response.writeHead(200).end();
    if (route === undefined) return refuse(response, api, unauthenticated(credentials));
    if (match.kind !== "found") return refuse(response, api, notAllowed(match));
    const refused = badRequest(request) ?? this.#mayPass(route, match);
    if (refused !== undefined) return refuse(response, api, refused);
    const { clock, prices } = this.#options;
    const client = this.#client;
    await new Passage({ clock, prices, client, route, request, response, match }).run();
  }

  #mayPass(route: SessionRoute, { format }: { format: unknown }): Refusal | undefined {
    const error = format === undefined ? route.loss() : route.mayCall();
    return error === undefined ? undefined : refusalOf(error);
  }
}

/** One session's way to its model, as its runtime has it. */
class OpenEndpoint implements AgentEndpoint {
  readonly baseUrl: string;
  readonly token: string;
  readonly #route: SessionRoute;
  readonly #end: () => void;

  constructor(
    route: SessionRoute,
    { port, token, end }: { port: number; token: string; end: () => void },
  ) {
    this.#route = route;
    this.#end = end;
    this.token = token;
    this.baseUrl = `http://127.0.0.1:${port}`;
  }

  get api(): ModelApi {
    return this.#route.target.api;
  }

  get failure(): AgentOsError | undefined {
    return this.#route.failure;
  }

  get rateLimits(): readonly RateLimitWindow[] {
    return this.#route.rateLimits;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end();
    this.#route.closed.abort();
  }
}

/** Whose words an answer to nobody in particular is put in. */
function apiOf(url: string): ModelApi {
  if (url.startsWith("/v1beta/")) return "gemini";
  return /^\/v1\/(?:responses|chat)\b/.test(url) ? "openai" : "anthropic";
}

function unauthenticated(credentials: readonly string[]): Refusal {
  const got = credentials.length === 0 ? "none" : "another one";
  const message = `expected the session's own token as the only credential, got ${got}`;
  return { status: 401, message };
}

function notAllowed(match: Exclude<PathMatch, { kind: "found" | "greeting" }>): Refusal {
  if (match.kind === "wrong_method") {
    const headers = { allow: match.allow };
    return { status: 405, message: `expected the method ${match.allow}`, headers };
  }
  return { status: 404, message: "expected a path of the session's own provider" };
}

function badRequest({ headers }: IncomingMessage): Refusal | undefined {
  const length = Number(headers["content-length"] ?? 0);
  if (length > GATEWAY_BOUNDS.requestBytes) {
    const message = `expected a request of at most ${GATEWAY_BOUNDS.requestBytes} bytes, got ${length}`;
    return { status: 413, message };
  }
  const encoding = headers["content-encoding"] ?? "identity";
  if (encoding === "identity") return undefined;
  return { status: 415, message: `expected a request that is not encoded, got ${encoding}` };
}
