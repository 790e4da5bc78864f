import type { FRAME_KIND } from "../src/stream-frame.ts";

interface FrameText {
  /** Who sends it. */
  from: "client" | "sidecar";
  payload: string;
  meaning: string;
}

/** What docs/protocol.md says of each frame kind. */
export const FRAME_TEXTS: { readonly [K in keyof typeof FRAME_KIND]: FrameText } = {
  dataIn: {
    from: "client",
    payload: "bytes",
    meaning: "Bytes for stdin or a file, at the offset.",
  },
  eofIn: { from: "client", payload: "none", meaning: "No byte follows. The offset is the total." },
  ack: {
    from: "client",
    payload: "u8 channel",
    meaning: "Everything of the channel below the offset has arrived. Makes room in the window.",
  },
  release: {
    from: "client",
    payload: "none",
    meaning: "Nothing more is needed of the process, which runs on, or of the stream.",
  },
  fail: {
    from: "sidecar",
    payload: "u32 errno, text step",
    meaning: "The stream failed, or a frame for it was refused.",
  },
  end: {
    from: "sidecar",
    payload: "u8 channel",
    meaning: "No byte of the channel follows. The offset is the total.",
  },
  inAck: {
    from: "sidecar",
    payload: "none",
    meaning: "Everything below the offset has been taken by the process or file.",
  },
  out: {
    from: "sidecar",
    payload: "bytes",
    meaning: "Bytes of stdout or of a file, at the offset.",
  },
  err: { from: "sidecar", payload: "bytes", meaning: "Bytes of stderr, at the offset." },
};
