import { AgentOs } from "@agentos/client";

await using os = await AgentOs.create();

// Output as it comes, standard output and standard error apart.
await os.exec("for i in 1 2 3; do echo out $i; echo err $i >&2; done", {
  onStdout: (bytes) => process.stdout.write(bytes),
  onStderr: (bytes) => process.stderr.write(bytes),
});

// Input as a string; exec collects what comes out.
const sorted = await os.exec(["sort", "-r"], { stdin: "apple\nfig\npear\n" });
console.log(sorted.stdout.split("\n").filter(Boolean).join(" "));

// A process to talk to: web streams both ways.
const upper = await os.spawn(["tr", "a-z", "A-Z"], { stdin: "pipe" });
const writer = upper.stdin.getWriter();
await writer.write(new TextEncoder().encode("shout\n"));
await writer.close();
for await (const bytes of upper.stdout) process.stdout.write(bytes);
console.log((await upper.exited).exitCode);

// A signal, as the process sees it.
const trap = await os.spawn([
  "sh",
  "-c",
  "trap 'echo caught; exit 7' TERM; echo ready; while :; do sleep 0.1; done",
]);
for await (const bytes of trap.stdout) {
  const text = new TextDecoder().decode(bytes);
  process.stdout.write(text);
  if (text.includes("ready")) await trap.kill("SIGTERM");
}
console.log((await trap.exited).exitCode);
