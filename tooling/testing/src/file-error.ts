import { AgentOsError } from "@agentos/protocol";

const TEXTS: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EEXIST: "file already exists",
  EINVAL: "invalid argument",
  EISDIR: "illegal operation on a directory",
  ELOOP: "too many symbolic links encountered",
  ENOENT: "no such file or directory",
  ENOTDIR: "not a directory",
  ENOTEMPTY: "directory not empty",
};

/** A filesystem error with Node's wording. */
export function fileError(
  errno: string,
  syscall: string,
  path: string,
  dest?: string,
): AgentOsError<"FILE_SYSTEM"> {
  const target = dest === undefined ? "" : ` -> '${dest}'`;
  const text = TEXTS[errno] ?? "input/output error";
  return new AgentOsError("FILE_SYSTEM", `${errno}: ${text}, ${syscall} '${path}'${target}`, {
    errno,
    syscall,
    path,
    ...(dest === undefined ? {} : { dest }),
  });
}
