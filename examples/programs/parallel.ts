import { AgentOs } from "@agentos/client";

const VMS = 20;

// All of them in one sidecar, started by the first call. Each has its own files, processes and hostname.
const started = performance.now();
const results = await Promise.all(
  Array.from({ length: VMS }, async (_, index) => {
    await using os = await AgentOs.create();
    await os.fs.writeFile("/workspace/number", String(index));
    const { stdout } = await os.exec("n=$(cat number); echo $((n * n))");
    return Number(stdout);
  }),
);

console.log(results.join(" "));
console.error(
  `${VMS} VMs created, used and ended in ${Math.round(performance.now() - started)} ms`,
);
