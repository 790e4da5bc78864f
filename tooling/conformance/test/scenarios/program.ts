import { AgentOs } from "@agentos/client";

const mode = process.argv[2];
// Not an argument: the test looks for it among the command lines of the machine.
const marker = process.env["MARKER"] ?? "true";

const os = await AgentOs.create();
const { sidecarPid, epoch } = await os.info();
const held = mode === "hold" ? os.exec(marker) : undefined;
process.stdout.write(`${JSON.stringify({ sidecarPid, epoch })}\n`);
await held;
await os.dispose();
