import { type AgentOsError, type ErrorCode, isAgentOsError } from "@agentos/client";

const REMEDIES: Partial<Record<ErrorCode, string>> = {
  ACL_DENIED: "Let both join a channel: agentos channel join",
  AGENT_EXITED: "Read what the agent wrote last, above; then prompt again.",
  ALREADY_EXISTS: "Choose another name, or see what has it with: agentos ps",
  ARGUMENTS_TOO_LONG: "Pass long input on standard input or in a file.",
  CANCELLED: "Nothing is left running; repeat the command when you want it.",
  COMMAND_NOT_EXECUTABLE: "Look at its permission bits and its first line.",
  COMMAND_NOT_FOUND: "Look at its name; the VM has the programs of the host's system directories.",
  CONNECTION_LOST: "Repeat the command; a new connection is made by itself.",
  DEADLINE_EXCEEDED:
    "Repeat the command; if it happens again, look at the sidecar's log (docs/operations.md says where).",
  FENCED: "Another program took this VM over; see who holds what with: agentos ps",
  IMAGE_REFUSED: "Nothing of it was kept: see what the message names.",
  IN_USE: "End what the message names first, with: agentos rm",
  INVALID_ARGUMENT: "See the command's options with --help.",
  INSTALL_FAILED: "Look at the version's name and at npm's settings: npm config list",
  MODEL_SWITCH_FAILED: "Look at the model's name; the session goes on with the one that it had.",
  MOUNT_REFUSED: "Leave out --mount to copy the directory in, or add --read-only.",
  MAILBOX_FULL: "Send again later; see what the agent is at with: agentos agent show",
  MISSING_KEY: "Set the variable where you call agentos, or name another with --key-variable.",
  NOT_DELIVERED: "See why with: agentos deadletters",
  NOT_FOUND: "See what there is with: agentos ps",
  POOL_EXHAUSTED: "End VMs that you no longer need (agentos ps), or use another --pool.",
  PROVIDER_FAILED: "Try again later; the provider's status page may say more.",
  PROVIDER_REFUSED: "Look at the key, the model's name and --base-url.",
  RATE_LIMITED: "Wait until the time in the message, then repeat the prompt.",
  SESSION_CLOSED: "Open it again with: agentos session resume",
  UNKNOWN_RUNTIME: "Take one of those that the message names.",
  SNAPSHOT_FAILED: "The VM goes on as it was; repeat the command once that is different.",
  SIDECAR_LOST: "Repeat the command; a new sidecar is started by itself.",
  FORBIDDEN: "Ask whoever started the sidecar: this is its owner's to do.",
  UNAUTHENTICATED: "The sidecar was replaced meanwhile: repeat the command.",
  UNSUPPORTED_LIMIT: "Leave out --require-limits, or the limit that this machine can't hold.",
  VERSION_MISMATCH:
    "Another version of AgentOS runs the pool: end it with agentos down, or use another --pool.",
  VM_ENDED: "Lease a new one with: agentos run",
  VM_START_FAILED:
    "Repeat the command; if it happens again, look at the sidecar's log (docs/operations.md says where).",
};

/** The same for sessions, which have a list of their own. */
const SESSION_REMEDIES: Partial<Record<ErrorCode, string>> = {
  ALREADY_EXISTS: "Choose another --id, or see what has it with: agentos session list",
  NOT_FOUND: "See what there is with: agentos session list",
};

/** What a person can do about an error, in one line. */
export function remedyOf(error: AgentOsError): string {
  if (isAgentOsError(error, "DRIVER_UNAVAILABLE") && error.details.remedy !== undefined) {
    return error.details.remedy;
  }
  if (isAgentOsError(error, "SIDECAR_NOT_FOUND")) return error.details.install;
  if (isAgentOsError(error, "PACKAGE_MISSING")) return error.details.install;
  if (isAgentOsError(error, "AGENT_NOT_INSTALLED")) return error.details.install;
  if (isAgentOsError(error, "AGENT_VERSION")) return error.details.install;
  if (isAgentOsError(error, "UNSUPPORTED") && error.details.instead !== undefined) {
    return error.details.instead;
  }
  const isOfSession = "kind" in error.details && error.details.kind === "session";
  const remedy = isOfSession ? SESSION_REMEDIES[error.code] : undefined;
  return remedy ?? REMEDIES[error.code] ?? "Repeat with AGENTOS_DEBUG=1 to see where it came from.";
}
