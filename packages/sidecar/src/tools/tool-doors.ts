import type { Clock, ToolDoor, ToolDoors, ToolRoute } from "@agentos/core";

import { vmToken, VmTokens } from "../keys/vm-tokens.ts";
import { VmDoors } from "../vms/vm-doors.ts";
import { SessionTools } from "./session-tools.ts";
import { ToolDoorServer } from "./tool-door-server.ts";

/** Where `agentos-tool` connects to; packages/vm/native/tool.c has it too. */
const DOOR_PATH = "/run/agentos/tools";
/** Every VM has it on its PATH; agents may start it with another one. */
const PROGRAM = "/opt/agentos/bin/agentos-tool";
const TOKEN_VARIABLE = "AGENTOS_TOOLS_TOKEN";

export interface VmToolDoorsOptions {
  /** The pool's secret: tokens come from it. */
  readonly key: Uint8Array;
  readonly clock: Clock;
}

/** Sessions' tools at one door in each VM: as an MCP server, and as a command. */
export class VmToolDoors implements ToolDoors, Disposable {
  readonly #key: Uint8Array;
  readonly #sessions = new VmTokens<SessionTools>();
  readonly #server: ToolDoorServer;
  readonly #doors: VmDoors;

  constructor({ key, clock }: VmToolDoorsOptions) {
    this.#key = key;
    const find = (token: string, vmKey: string): SessionTools | undefined =>
      this.#sessions.find([token], vmKey);
    this.#server = new ToolDoorServer({ clock, find });
    this.#doors = new VmDoors({
      what: "tools",
      places: [{ path: DOOR_PATH }],
      onSocket: (socket, vmKey) => void this.#server.accept(socket, vmKey),
    });
  }

  async open(route: ToolRoute, { signal }: { signal: AbortSignal }): Promise<ToolDoor> {
    const vm = route.vm.handle();
    await this.#doors.open(vm);
    signal.throwIfAborted();
    const { vmId: vmKey } = vm;
    const { sessionId } = route;
    const token = vmToken(this.#key, { use: "tools", vmKey, sessionId });
    const tools = new SessionTools(route);
    const end = this.#sessions.add(token, vmKey, tools);
    return {
      mcp: { command: PROGRAM, args: ["mcp"] },
      env: { [TOKEN_VARIABLE]: token },
      command: "agentos-tool",
      [Symbol.asyncDispose]: async () => {
        end();
        tools.closed.abort();
      },
    };
  }

  [Symbol.dispose](): void {
    for (const tools of this.#sessions.values) tools.closed.abort();
    this.#sessions.clear();
    this.#server[Symbol.dispose]();
  }
}
