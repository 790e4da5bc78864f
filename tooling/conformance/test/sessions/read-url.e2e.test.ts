import { once } from "node:events";
import { createServer, type Server } from "node:http";

import { AgentOs, allow, type NetworkDecision } from "@agentos/client";
import { FakeModelServer, otherwise, script, text, toolCall, when } from "@agentos/fake-model";
import { expect, test } from "vitest";

import { until, useWorld } from "../scenarios/world.ts";

useWorld();

async function portOf(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

test("[session.read-url-in-vm] an agent reads what the policy of its live VM names, and nothing else", async () => {
  await using pages = createServer((request, response) => {
    response.writeHead(200, { "content-type": "text/html" }).end(`<h1>Page ${request.url}</h1>`);
  });
  const host = `127.0.0.1:${await portOf(pages)}`;
  await using model = await FakeModelServer.start({
    script: script([
      when(({ step }) => step > 0).reply(({ newResults }) =>
        text(newResults[0]?.result.text ?? ""),
      ),
      otherwise().reply(({ lastUserText }) => toolCall("read_url", { url: lastUserText })),
    ]),
  });
  await using os = await AgentOs.create({ network: { egress: "allow", hosts: [] } });
  const decisions: NetworkDecision[] = [];
  const stop = os.onNetwork((decision) => decisions.push(decision));
  await using session = await os.createSession({
    runtime: "anthropic",
    provider: { name: "anthropic", baseUrl: `${model.url}/v1`, apiKey: "made-up" },
    policies: [allow("read_url")],
  });
  const read = (path: string) => session.prompt(`http://${host}${path}`).text();
  expect(await read("/early")).toContain("the policy does not name this address and port");
  await os.setNetwork({ egress: "allow", hosts: [host] });
  expect(await read("/in")).toBe("# Page /in");
  await os.setNetwork({ egress: "none" });
  expect(await read("/late")).toContain("is not reached from this VM");
  await until(() =>
    decisions.some(({ decision, via }) => decision === "allowed" && via === "tool"),
  );
  stop();
});
