import { parentPort, workerData } from "node:worker_threads";

import type { GuestWorkerData, HostMessage } from "./guest-call.ts";
import { GuestHost } from "./guest-host.ts";
import { Post } from "./post.ts";
import { loadShell } from "./shell.ts";

// The entry of a worker of the virtual driver: VMs in, until the driver ends it.
const port = parentPort;
if (port === null) throw new Error("this is the entry of a worker, not a program");
const { shell, signals }: GuestWorkerData = workerData;
const post = new Post(port);
const host = new GuestHost(await loadShell(shell), post, signals);
port.on("message", (message: HostMessage) => host.receive(message));
post.send({ kind: "ready" });
