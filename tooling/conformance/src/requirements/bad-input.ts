import { rows } from "../requirement.ts";

/** Bad input: a typed error, and nothing changed. */
export const badInput = rows("bad input", {
  "bad.method": "an unknown method is UNKNOWN_METHOD",
  "bad.frame": "a malformed frame ends its connection only",
  "bad.oversized": "an oversized frame ends its connection only",
  "bad.key": "a wrong key is UNAUTHENTICATED",
  "bad.session":
    "what a session can't be or take is refused with a typed error, and nothing is left",
  "bad.session-result": "a tool's result of 100 MB is an error that the agent sees",
  "bad.version": "a version range without a common one is VERSION_MISMATCH",
}).concat(
  rows(
    "bad input",
    {
      "bad.epoch": "a sidecar of an earlier epoch, or with another key, is refused by the VM",
      "bad.path": "relative and NUL paths are INVALID_ARGUMENT",
      "bad.image": "a missing image is IMAGE_NOT_FOUND",
      "bad.driver": "an unknown driver is UNKNOWN_DRIVER",
      "bad.command": "a command not found is COMMAND_NOT_FOUND with 127 and its name",
      "bad.permission": "a command that may not run is COMMAND_NOT_EXECUTABLE with 126",
      "bad.arguments": "a huge argument list is ARGUMENTS_TOO_LONG",
      "bad.disposed": "exec after dispose is DISPOSED",
      "bad.options": "unknown options are refused",
    },
    "linux",
  ),
);
