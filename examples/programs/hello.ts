import { AgentOs } from "@agentos/client";

// A VM of its own: no network, no access to your files. It ends with this block.
await using os = await AgentOs.create();

await os.fs.writeFile("/workspace/greet.sh", 'echo "Hello, $1, from $(hostname)"\n');
const { stdout, exitCode } = await os.exec(["sh", "greet.sh", "world"]);
console.log(stdout.trim(), `(exit code ${exitCode})`);

// A string is a shell line. Exit codes, signals and time-outs are told apart, never guessed.
const failed = await os.exec("echo oops >&2; exit 3");
console.log(failed.outcome, failed.exitCode, failed.stderr.trim());

const slow = await os.exec("sleep 60", { timeoutMs: 200 });
console.log(slow.outcome);

// Files come back out the way they went in.
await os.exec("seq 1 5 | paste -sd+ > sum.txt");
console.log(await os.fs.readFile("/workspace/sum.txt", "utf8"));
