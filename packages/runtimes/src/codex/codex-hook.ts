import type { SessionVm, VmDoor, VmIncoming } from "@agentos/core";
import { AgentOsError, ByteReader, ByteWriter, type JsonObject } from "@agentos/protocol";

import { HookInput } from "./codex-message.ts";

/** Where the hook finds the sidecar. */
export const PORT_VARIABLE = "AGENTOS_HOOK_PORT";
/** One call's arguments. */
const MAX_INPUT_BYTES = 8 * 1024 * 1024;
/** A hook waits for people: seconds that no session lives. */
const HOOK_SECONDS = 31_536_000;
const LF = 0x0a;

/** Ten in a second, as long as a VM waits for the next life of its sidecar. */
const TRIES = 600;

/** Whatever goes wrong, the tool does not run: only exit code 2 says that. A sidecar that was killed is asked again in its next life. */
const SCRIPT = [
  `/bin/bash -c 'input=$(cat); for ((i = 0; i < ${TRIES}; i++)); do { printf "%s\\n" "$input" >&3 && IFS= read -r answer <&3 && printf "%s\\n" "$answer" && exit; } 3<>"/dev/tcp/127.0.0.1/$${PORT_VARIABLE}"; sleep 0.1; done 2>/dev/null; exit 1'`,
  "{ echo 'AgentOS could not be asked' >&2; exit 2; }",
].join(" || ");

/** Codex's hooks: one before every tool. The same for every session, which its environment tells apart. */
export const HOOKS_FILE: JsonObject = {
  hooks: {
    PreToolUse: [
      { matcher: "*", hooks: [{ type: "command", command: SCRIPT, timeout: HOOK_SECONDS }] },
    ],
  },
};

export type HookInput = ReturnType<typeof HookInput.parse>;
export type BeforeTool = (input: HookInput) => Promise<JsonObject>;

/** The place in the VM where Codex's hook asks. Disposing closes it. */
export class CodexHook implements AsyncDisposable {
  readonly #door: VmDoor;
  readonly port: number;

  /** `port`: where it was in an earlier life. Rejects with `UNSUPPORTED` where the VM's driver has no network. */
  static async open(vm: SessionVm, beforeTool: BeforeTool, port = 0): Promise<CodexHook> {
    const { network } = vm.handle();
    if (network === undefined) {
      const what = `codex in a VM of the driver ${vm.driver}`;
      throw new AgentOsError("UNSUPPORTED", `${what} can't be had`, { what });
    }
    const door = await network.open({ port }, (incoming) => answer(incoming, beforeTool));
    return new CodexHook(door);
  }

  private constructor(door: VmDoor) {
    this.#door = door;
    this.port = door.port ?? 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#door[Symbol.asyncDispose]();
  }
}

/** One line in, one line out. */
function answer(incoming: VmIncoming, beforeTool: BeforeTool): void {
  const writer = new ByteWriter();
  const parts: Uint8Array[] = [];
  let bytes = 0;
  let isAsked = false;
  const reader = new ByteReader((piece) => {
    if (isAsked) return;
    parts.push(Uint8Array.from(piece));
    bytes += piece.byteLength;
    if (piece.at(-1) !== LF && bytes < MAX_INPUT_BYTES) return;
    isAsked = true;
    void respond(Buffer.concat(parts), beforeTool, writer);
  }, "process");
  const source = incoming.accept({
    frame: (frame) => writer.frame(frame) || reader.frame(frame),
    closed: (reason) => {
      reader.closed(reason);
      writer.close();
    },
  });
  reader.attach(source);
  writer.attach(source);
}

/** Without an answer it would be asked again. */
const NOT_UNDERSTOOD: JsonObject = {
  hookSpecificOutput: {
    hookEventName: "PreToolUse",
    permissionDecision: "deny",
    permissionDecisionReason: "AgentOS does not understand the call",
  },
};

async function respond(input: Buffer, beforeTool: BeforeTool, writer: ByteWriter): Promise<void> {
  try {
    const decision = await beforeTool(HookInput.parse(JSON.parse(input.toString())));
    writer.write(Buffer.from(`${JSON.stringify(decision)}\n`));
  } catch {
    writer.write(Buffer.from(`${JSON.stringify(NOT_UNDERSTOOD)}\n`));
  }
  writer.end();
}
