import type { FrameSink, FrameSource } from "./frame-sink.ts";

/** Where a program of the VM can be met. A port is one of the VM's own loopback: 127.0.0.1, or for a door another address of it. */
export type VmPort =
  | { readonly port: number; readonly address?: string }
  | { readonly path: string };

/** A connection that a program in the VM made to a door. */
export interface VmIncoming {
  /** Takes it: its bytes come to `sink` on channel 1, what is sent goes to the program. */
  accept(sink: FrameSink): FrameSource;
  /** The program sees its connection closed. */
  refuse(): void;
}

/** A place in the VM where its programs reach the sidecar. Disposing closes it and its connections. */
export interface VmDoor extends AsyncDisposable {
  /** Its port, where one was asked for as 0. */
  readonly port: number | undefined;
}

/**
 * Connections between the sidecar and programs of a VM, as streams on the link. The VM has no other way
 * out. They end with the link: one that is adopted has its doors, but no connection of before.
 */
export interface VmNetwork {
  /** The ports of 127.0.0.1 that are doors. */
  readonly doors: ReadonlySet<number>;
  /** To a program that listens in the VM: 127.0.0.1, then ::1. Rejects with `PORT_CLOSED` where none does. */
  connect(to: VmPort, sink: FrameSink, options: { signal: AbortSignal }): Promise<FrameSource>;
  /** Rejects with `PORT_IN_USE`. One that was there before an adoption is taken over, but for those at another address, which go with the link. */
  open(at: VmPort, onConnection: (connection: VmIncoming) => void): Promise<VmDoor>;
}
