import type { ErrorCode } from "./error-codes.ts";

export interface ErrorText {
  /** When the error occurs. */
  when: string;
  /** What its reader can do. */
  remedy: string;
}

/** What docs/errors.md says of each code. */
export const ERROR_TEXTS: { readonly [C in ErrorCode]: ErrorText } = {
  ACL_DENIED: {
    when: "An agent wrote to somebody, or released an agent, that is not within its reach.",
    remedy: "Let both join a channel, name the address in `sendTo`, or let a parent do it.",
  },
  AGENT_EXITED: {
    when: "The agent's program ended before its turn did.",
    remedy: "Read `details.stderr`. Prompt again: the session starts it anew.",
  },
  AGENT_NOT_INSTALLED: {
    when: "The agent's program is neither in the VM nor in the store of the host.",
    remedy: "Type what `details.install` says.",
  },
  AGENT_VERSION: {
    when: "The agent's program has a version that its runtime was not made for, or can't tell which.",
    remedy: "Type what `details.install` says, or name another version with `agentVersion`.",
  },
  ALREADY_EXISTS: {
    when: "The id or name is taken by something else than what was asked for.",
    remedy: "Choose another id or name, or attach to what is there.",
  },
  ARGUMENTS_TOO_LONG: {
    when: "Arguments and environment of one process are larger than the limit.",
    remedy: "Pass the data on stdin or in a file.",
  },
  BUDGET_EXHAUSTED: {
    when: "A budget of the session was used up before the turn began.",
    remedy: "Open a session with a larger `budget`. `details` names which.",
  },
  CALLBACK_FAILED: {
    when: "A function of the client (hook, predicate, host tool) threw, gave no answer in time, or nobody has it.",
    remedy: "Look at that function. A decider that fails denies.",
  },
  CANCELLED: {
    when: "The caller's signal was aborted, or what the operation worked on was closed.",
    remedy: "Nothing, if you meant it. What had taken effect by then stays.",
  },
  COMMAND_NOT_EXECUTABLE: {
    when: "The program is there, but the VM's user may not execute it.",
    remedy: "`chmod +x` it, or name its interpreter: `sh script`.",
  },
  COMMAND_NOT_FOUND: {
    when: "No program of that name is in the PATH of the request, or at that path.",
    remedy: "Check the spelling, the VM's image and PATH. Shell syntax needs a string command.",
  },
  CONNECTION_LOST: {
    when: "The connection to the sidecar ended while something waited for it.",
    remedy: "Repeat the call: it connects anew, and a repeated id takes effect once.",
  },
  DEADLINE_EXCEEDED: {
    when: "No answer came within the deadline of the request.",
    remedy:
      "Repeat it, with a longer deadline where the work may be long. It may have taken effect.",
  },
  DISPOSED: {
    when: "The handle was disposed before the call.",
    remedy: "Make a new one, or dispose later.",
  },
  DRIVER_UNAVAILABLE: {
    when: "The driver can't work on this machine. The reason was found by trying.",
    remedy: "Do what `details.remedy` says, or name another driver. None is taken silently.",
  },
  FENCED: {
    when: "Someone took the VM over: this lease is of an earlier fence.",
    remedy: "Attach again if you still need the VM.",
  },
  FILE_SYSTEM: {
    when: "A file operation in the VM failed. `errno` is on the error, as on Node's own.",
    remedy: "As for the errno: `ENOENT`, `EACCES`, `ENOSPC` and so on.",
  },
  FORBIDDEN: {
    when: "The key is valid, but its user may not do this: it is the sidecar's owner's to decide.",
    remedy: "Ask with a key of the sidecar's owner.",
  },
  FRAME_TOO_LARGE: {
    when: "One message is larger than the connection's `maxFrameBytes`.",
    remedy: "Send bulk data as a file or a stream, or ask for less at once.",
  },
  HOST_UNREACHABLE: {
    when: "The VM's network policy lets the connection through, but nobody answers at its other end.",
    remedy: "`details.reason` says where it failed: the name, the connection, TLS, or the answer.",
  },
  IMAGE_NOT_FOUND: {
    when: "The driver has no image of that name.",
    remedy: "Take one of `details.known`.",
  },
  IMAGE_REFUSED: {
    when: "What was to become an image is no root filesystem, or an archive that can't be trusted.",
    remedy: "`details.reason` says what was found. Nothing of it was kept.",
  },
  INSTALL_FAILED: {
    when: "npm could not install the agent's package, or what it installed has another hash than this build expects.",
    remedy: "Read `details.reason`. npm's own settings say which registry and proxy are used.",
  },
  INTERNAL: {
    when: "A fault of AgentOS itself, or an error that only a newer version knows.",
    remedy: "Look into the sidecar's log at that time, and report it.",
  },
  IN_USE: {
    when: "A snapshot or an image was to be removed that a VM stands on.",
    remedy: "End what `details.by` names first.",
  },
  INVALID_ARGUMENT: {
    when: "An argument is not what the call takes. Nothing was changed.",
    remedy: "`details` names the argument, what was expected and what came.",
  },
  MAILBOX_FULL: {
    when: "The agent's mailbox has as many messages, or bytes, as it may have.",
    remedy: "Send again later. `details` has the bound.",
  },
  MISSING_KEY: {
    when: "The model's provider needs a key and none was given.",
    remedy: "Set one of `details.variables` where the client runs, or pass `provider.apiKey`.",
  },
  MODEL_SWITCH_FAILED: {
    when: "The agent did not confirm that it uses the other model.",
    remedy: "Look at the model's name. The session goes on with the model that it had.",
  },
  MOUNT_REFUSED: {
    when: "A mount of the VM can't be had as it was asked for.",
    remedy:
      "See `details.reason`: the source is missing, not yours, or root's and asked read-write.",
  },
  NETWORK_REFUSED: {
    when: "The VM's network policy does not let a connection through.",
    remedy: "Name the host in the policy: `os.setNetwork`, or `agentos network`.",
  },
  NOT_DELIVERED: {
    when: "A message that something waited for can't reach its recipient any more.",
    remedy: "`details.reason` says why. A dead letter can be redelivered.",
  },
  NOT_FOUND: {
    when: "There is no such thing, or it belongs to another user.",
    remedy: "Check the id. A VM without a lease ends after its grace time.",
  },
  PACKAGE_MISSING: {
    when: "An optional package is not installed.",
    remedy: "Type the line in `details.install`.",
  },
  PORT_CLOSED: {
    when: "Nothing in the VM listens at that port or path.",
    remedy: "Start the server first, on 127.0.0.1 or ::1. Try again where it is still starting.",
  },
  PORT_IN_USE: {
    when: "Something listens at that port or path already.",
    remedy: "Choose another one, or 0 for any that is free.",
  },
  POOL_EXHAUSTED: {
    when: "A bound of the sidecar is reached, and the wait for a place was too long.",
    remedy: "Release what you no longer need, try later, or raise the bound in `details.limit`.",
  },
  PROTOCOL_ERROR: {
    when: "The other side sent what no version of the protocol allows.",
    remedy: "Check that both sides are AgentOS, of supported versions, and report it.",
  },
  PROVIDER_FAILED: {
    when: "The model's provider failed or broke off, after the retries.",
    remedy: "Prompt again later. `details.status` is its HTTP status, where there was one.",
  },
  PROVIDER_REFUSED: {
    when: "The model's provider refused the request: a wrong key, an unknown model, a malformed request.",
    remedy: "Correct what `details.reason` names. Repeating it changes nothing.",
  },
  RATE_LIMITED: {
    when: "The provider's rate limit is used up.",
    remedy: "Wait until `details.resetAt`, or prompt with `resumeOnRateLimit`.",
  },
  REQUEST_SETTLED: {
    when: "The permission request or question has its answer, or was cancelled.",
    remedy: "Nothing: the first answer holds.",
  },
  RESUME_LOST: {
    when: "There is no state to resume the session from.",
    remedy: "Open a new session, or give `resume.freshPrompt`.",
  },
  SESSION_BUSY: {
    when: "A turn runs and the prompt asked not to wait.",
    remedy: "Wait for it, cancel it, or let the prompt queue.",
  },
  SESSION_CLOSED: {
    when: "The session was closed, deleted or has failed.",
    remedy: "Resume it by its id, or open another.",
  },
  SIDECAR_LOST: {
    when: "The sidecar that hosted the VM is gone, and the VM with it.",
    remedy: "Create a new VM: a new sidecar is started for it. How running work ended is unknown.",
  },
  SIDECAR_NOT_FOUND: {
    when: "The `agentos-sidecar` program is not installed where it was searched.",
    remedy: "Type the line in `details.install`, or set `sidecarPath`.",
  },
  SIDECAR_START_FAILED: {
    when: "A new sidecar ended or fell silent before it was ready.",
    remedy: "Read `details.stderr`, its last lines.",
  },
  SIDECAR_UNAVAILABLE: {
    when: "The sidecar is disposing or disposed, so it gives no leases.",
    remedy: "Get a sidecar again, and dispose after the last use.",
  },
  SNAPSHOT_FAILED: {
    when: "The VM's files could not be frozen or copied. The VM goes on as it was.",
    remedy: "`details.reason` says why. Try again once that is different.",
  },
  TRANSFER_INTERRUPTED: {
    when: "An upload or download of a tree ended in the middle, and not by an error of a file.",
    remedy: "Transfer again. What came until then is there, each file of it whole.",
  },
  UNAUTHENTICATED: {
    when: "The API key is missing, wrong, revoked or past its time.",
    remedy: "Connect through the client, which reads the key of the pool's sidecar.",
  },
  UNKNOWN_DRIVER: {
    when: "No driver has that name.",
    remedy: "Take one of `details.known`.",
  },
  UNKNOWN_METHOD: {
    when: "The sidecar does not know the method: it is older than the client.",
    remedy: "Use the same version of client and sidecar.",
  },
  UNKNOWN_RUNTIME: {
    when: "No agent runtime has that name.",
    remedy: "Take one of `details.known`.",
  },
  UNSUPPORTED: {
    when: "This driver or this side can't do that.",
    remedy: "Take `details.instead` where it is given, or another driver.",
  },
  UNSUPPORTED_LIMIT: {
    when: "A limit named in `limits.require` can't be made hard on this machine.",
    remedy: "Do without the requirement, or give the machine what `details.reason` names.",
  },
  UNSUPPORTED_NODE: {
    when: "The Node that imports the client is too old for it.",
    remedy: "Put a newer node first in PATH. `details.expected` is the oldest that will do.",
  },
  UNSUPPORTED_POLICY: {
    when: "The agent's runtime can't enforce a rule of the policy, so the session was not opened.",
    remedy: "Drop the rule in `details.rule`, or take a runtime that asks before each tool.",
  },
  VERSION_MISMATCH: {
    when: "Client and sidecar have no protocol version in common.",
    remedy: "Update the older one. `agentos down` ends an old shared sidecar.",
  },
  VM_ENDED: {
    when: "The VM is over: released, expired, or its first process died.",
    remedy: "Create a new one. `details.reason` says why it ended.",
  },
  VM_START_FAILED: {
    when: "Making the VM failed at a step that the driver had found possible before.",
    remedy: "Try again. `details.step` and `details.errno` say where it failed.",
  },
};
