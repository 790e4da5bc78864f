#!/usr/bin/env node
import { once } from "node:events";
import { parseArgs } from "node:util";

import { findScript } from "./scripts/find-script.ts";
import { FakeModelServer } from "./server/fake-model-server.ts";

const USAGE = `usage: main.js --script FILE|NAME [options]
  --port N             on 127.0.0.1; 0, the default, takes a free one
  --socket PATH        listens on a unix socket too
  --key KEY            takes only this key; may be repeated
  --model ID           what the lists of models name; may be repeated
  --pace-ms N          milliseconds between deltas, for a person to watch; 0 by default
  --until-stdin-ends   ends with its standard input`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      script: { type: "string" },
      port: { type: "string", default: "0" },
      socket: { type: "string" },
      key: { type: "string", multiple: true },
      model: { type: "string", multiple: true },
      "pace-ms": { type: "string", default: "0" },
      "until-stdin-ends": { type: "boolean", default: false },
    },
  });
  if (values.script === undefined) throw new TypeError("--script is missing");
  const ended = endAsked(values["until-stdin-ends"]);
  await using server = await FakeModelServer.start({
    script: await findScript(values.script),
    port: wholeNumber("--port", values.port),
    socketPath: values.socket,
    keys: values.key,
    models: values.model,
    paceMs: wholeNumber("--pace-ms", values["pace-ms"]),
  });
  const { url, socketPath } = server;
  process.stdout.write(`${JSON.stringify({ url, socketPath })}\n`);
  await ended;
  process.stdin.destroy();
}

function wholeNumber(option: string, value: string): number {
  if (/^\d{1,6}$/.test(value)) return Number(value);
  throw new TypeError(`expected a whole number for ${option}, got ${JSON.stringify(value)}`);
}

async function endAsked(untilStdinEnds: boolean): Promise<void> {
  const asked: Promise<unknown>[] = [once(process, "SIGTERM"), once(process, "SIGINT")];
  if (untilStdinEnds) asked.push(once(process.stdin.resume(), "end"));
  await Promise.race(asked);
}

try {
  await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${USAGE}\n`);
  process.exitCode = 2;
}
