import { AgentOsError } from "@agentos/protocol";

const HOST_IMAGE = "host";

/** Throws `IMAGE_NOT_FOUND` for any but the driver's own. */
export function checkImage(image: string): void {
  if (image === HOST_IMAGE) return;
  const known = [HOST_IMAGE];
  throw new AgentOsError(
    "IMAGE_NOT_FOUND",
    `expected one of the images ${known.join(", ")}, got ${image}`,
    {
      image,
      known,
    },
  );
}

export function alreadyExists(vmId: string): AgentOsError<"ALREADY_EXISTS"> {
  return new AgentOsError("ALREADY_EXISTS", `VM ${vmId} exists already`, { kind: "vm", id: vmId });
}

export function cancelled(cause: unknown): AgentOsError<"CANCELLED"> {
  return new AgentOsError(
    "CANCELLED",
    "the VM's creation was cancelled",
    { operation: "vm.create" },
    { cause },
  );
}

export function disposedError(): AgentOsError<"DISPOSED"> {
  return new AgentOsError("DISPOSED", "the linux driver was disposed", {
    kind: "driver",
    id: "linux",
  });
}

/** The VM's first process would not do what it does for everybody. */
export function refusedRequest(operation: string, errno: string): AgentOsError<"INTERNAL"> {
  return new AgentOsError("INTERNAL", `the VM refused ${operation}: ${errno}`, { reason: errno });
}
