import type { AdoptedAttachment, AttachmentRequest, FrameSink, VmTerminals } from "@agentos/core";
import { AgentOsError, type TerminalSize } from "@agentos/protocol";

import type { Link } from "../link/link.ts";
import { LINK_KIND } from "../link/link-kinds.ts";
import type { TableEntry } from "../link/table-entry.ts";
import { LinuxAttachment } from "./linux-attachment.ts";

/** The terminals of one VM: processes of its, made by PID 1 on ptys of the VM's own. */
export class LinuxTerminals implements VmTerminals {
  readonly #link: Link;
  readonly #streamOf: (processId: string) => number | undefined;

  /** `streamOf`: a process's stream. */
  constructor(link: Link, streamOf: (processId: string) => number | undefined) {
    this.#link = link;
    this.#streamOf = streamOf;
  }

  resize(processId: string, { cols, rows }: TerminalSize): void {
    const size = Buffer.alloc(4);
    size.writeUInt16LE(cols, 0);
    size.writeUInt16LE(rows, 2);
    this.#link.send(LINK_KIND.resize, this.#stream(processId), size);
  }

  async attach(request: AttachmentRequest, sink: FrameSink): ReturnType<VmTerminals["attach"]> {
    return LinuxAttachment.open(this.#link, this.#stream(request.processId), request, sink);
  }

  /** What an adopted VM's table lists; one whose terminal was forgotten is, too. */
  adopt(entries: readonly TableEntry[], terminals: readonly TableEntry[]): AdoptedAttachment[] {
    const ids = new Map(terminals.map(({ stream, processId }) => [stream, processId]));
    return entries.flatMap((entry) => {
      const processId = ids.get(entry.pid);
      return processId === undefined ? [] : [LinuxAttachment.adopt(this.#link, entry, processId)];
    });
  }

  #stream(id: string): number {
    const stream = this.#streamOf(id);
    if (stream !== undefined) return stream;
    throw new AgentOsError("NOT_FOUND", `no terminal ${id} in this VM`, { kind: "terminal", id });
  }
}
