const KIB = 1024;
const MIB = 1024 * KIB;

/** Every bound of the model gateway. */
export const GATEWAY_BOUNDS = {
  /** Where programs of a VM find it on their loopback: always the same, so that what they wrote down holds in another life, or a fork. */
  port: 20_417,
  /** Tried one after the other where a program of the VM has the first. */
  ports: 8,
  connectionsPerVm: 128,
  headerBytes: 64 * KIB,
  /** From a connection to the end of its first request's headers. */
  headersMs: 10_000,
  /** Between two requests of a connection. */
  idleConnectionMs: 120_000,
  requestBytes: 64 * MIB,
  /** Between two pieces of a request. */
  requestStallMs: 60_000,
  connectMs: 30_000,
  /** Until an answer begins, and between two pieces of it: one that is not streamed takes minutes. */
  answerStallMs: 600_000,
  /** Idle connections to providers are closed before the provider does it. */
  idleProviderMs: 15_000,
  providerConnections: 1_024,
  /** What of an answer is kept to find its figures: a whole one, or one event of a stream. */
  readChars: 16 * MIB,
  /** The same of a provider's error. */
  errorBytes: 64 * KIB,
  /** Between two signs of life that the engine is told. */
  heardMs: 1_000,
  /** Limits of a key that a provider told of. */
  rateLimitWindows: 32,
} as const;
