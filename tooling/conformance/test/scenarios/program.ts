import { AgentOs } from "@agentos/client";

const [mode, marker = "true"] = process.argv.slice(2);

const os = await AgentOs.create();
const { sidecarPid, epoch } = await os.info();
const held = mode === "hold" ? os.exec(marker) : undefined;
process.stdout.write(`${JSON.stringify({ sidecarPid, epoch })}\n`);
await held;
await os.dispose();
