import type { Duplex } from "node:stream";
import type { Socket } from "node:net";

import { parseNetworkHost } from "@agentos/protocol";

import { readFirstBytes } from "./client-hello.ts";
import type { Asked, EgressGate } from "./egress-gate.ts";

/**
 * Carries bytes both ways until both have ended. What a program sends first is looked at: TLS must be for
 * the host that was asked for, else both ends are cut.
 */
export function tunnel(gate: EgressGate, asked: Asked, program: Duplex, server: Socket): void {
  let start = Buffer.alloc(0);
  const cut = (): void => {
    program.destroy();
    server.destroy();
  };
  program.on("error", cut);
  server.on("error", cut);
  program.once("close", () => server.destroy());
  server.once("close", () => {
    if (!server.readableEnded || !server.writableFinished) program.destroy();
  });
  server.pipe(program);
  const pass = (): void => {
    program.off("data", look);
    program.off("end", pass);
    if (start.byteLength > 0) server.write(start);
    if (program.readableEnded) server.end();
    else program.pipe(server);
  };
  const look = (chunk: Buffer): void => {
    start = Buffer.concat([start, chunk]);
    const first = readFirstBytes(start);
    if (first.kind === "unfinished") return;
    const problem = problemOf(gate, asked, first);
    if (problem === undefined) return pass();
    gate.revoke(asked, problem);
    cut();
  };
  program.on("data", look);
  program.once("end", pass);
}

function problemOf(
  gate: EgressGate,
  { target }: Asked,
  first: Exclude<ReturnType<typeof readFirstBytes>, { kind: "unfinished" }>,
): string | undefined {
  if (first.kind === "malformed") return "its first bytes are TLS that can't be read";
  if (first.kind === "other" || first.name === undefined || target === undefined) return undefined;
  const named = parseNetworkHost(first.name);
  const { host, port } = target;
  const isSame = named?.kind === "name" && host.kind === "name" && named.name === host.name;
  // Who asked for an address may name a host there that the policy names, too.
  const isNamed =
    named?.kind === "name" && host.kind === "address" && gate.policy.allowsName(named.name, port);
  return isSame || isNamed ? undefined : "its TLS is for another host";
}
