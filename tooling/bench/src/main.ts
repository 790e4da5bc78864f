import { benchUsage, readBenchArguments } from "./bench-arguments.ts";
import { rows } from "./rows.ts";
import { runBench } from "./run-bench.ts";

const names = rows.map(({ name }) => name);
const usual = rows.filter(({ onlyByName }) => onlyByName !== true).map(({ name }) => name);
const wanted = readBenchArguments(process.argv.slice(2), names, usual);
if (wanted.kind === "run") await runBench(wanted);
else if (wanted.kind === "help") process.stdout.write(benchUsage(names));
else {
  process.stderr.write(`bench: ${wanted.message}\n`);
  process.exitCode = 2;
}
