import { AgentOs } from "@agentos/client";

await using os = await AgentOs.create();

// A shell on a terminal: what is typed, and what the screen shows then.
await using shell = await os.openTerminal({ cols: 60, rows: 8, env: { PS1: "$ " } });
const shows = async (screen: RegExp) => {
  while (!screen.test(await shell.snapshot())) await new Promise((next) => setTimeout(next, 20));
};
await shows(/^\$$/);
await shell.write("echo $((6 * 7))\r");
await shows(/^42\n\$$/m);
console.log(await shell.snapshot());

// Another holder of the VM finds it, and sees the same.
const [found] = await os.terminals();
const other = await os.attachTerminal(found?.terminalId ?? "");
await other.resize({ cols: 100, rows: 30 });
await other.write("stty size; exit 3\r");

// The output, from its beginning to its end.
const decoder = new TextDecoder();
let output = "";
for await (const bytes of shell.output) output += decoder.decode(bytes, { stream: true });
console.log(output.includes("30 100"), (await shell.exited).exitCode);
