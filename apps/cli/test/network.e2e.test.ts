import { once } from "node:events";

import { afterAll, beforeAll, expect, test } from "vitest";

import { AgentOsCommand } from "./agentos-command.ts";

let agentos: AgentOsCommand;

beforeAll(async () => {
  agentos = await AgentOsCommand.create();
});
afterAll(() => agentos[Symbol.asyncDispose]());

test("[network.forward-command] agentos forward serves a VM's port until it is interrupted", async () => {
  await agentos.run(["run", "--no-copy", "--name", "web", "--", "true"]);
  const serve = `require("http").createServer((q, r) => r.end("from " + q.url)).listen(3000)`;
  await agentos.run(["exec", "--detach", "web", "--", "node", "-e", serve]);
  const forward = agentos.start(["forward", "--json", "web", "3000"]);
  const [line]: unknown[] = await once(forward.stdout, "data");
  const { url, port }: { url: string; port: number } = JSON.parse(String(line));
  expect(port).toBe(3000);
  const ask = async (): Promise<string> => {
    for (;;) {
      try {
        // oxlint-disable-next-line no-await-in-loop -- the server may still be starting
        return await (await fetch(`${url}/there`)).text();
      } catch {
        // oxlint-disable-next-line no-await-in-loop
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  };
  expect(await ask()).toBe("from /there");
  forward.kill("SIGINT");
  expect((await forward.ended).exitCode).toBe(130);
  await expect(fetch(url)).rejects.toThrow("fetch failed");
});

test.each(["0", "70000", "x", "3000:0", "3000:4:5", ""])("%j is no port", async (port) => {
  expect((await agentos.run(["forward", "web", port])).exitCode).toBe(64);
});

test("[network.command] agentos run --allow-host and agentos network set and show the policy", async () => {
  const run = [
    "run",
    "--no-copy",
    "--name",
    "out",
    "--allow-host",
    "a.test:81",
    "--allow-host",
    "*.b.test",
  ];
  expect((await agentos.run([...run, "--", "sh", "-c", "echo $HTTPS_PROXY"])).stdout).toBe(
    "http://127.0.0.1:3128\n",
  );
  expect((await agentos.run(["network", "out"])).stdout).toBe("a.test:81\n*.b.test\n");
  const changed = await agentos.run(["network", "--json", "out", "--allow-host", "c.test"]);
  expect(JSON.parse(changed.stdout)).toMatchObject({
    network: { egress: "allow", hosts: ["c.test"] },
  });
  expect((await agentos.run(["network", "out", "--none"])).stdout).toBe("nothing but itself\n");
  expect((await agentos.run(["network", "out", "--none", "--allow-host", "a"])).exitCode).toBe(64);
  const joined = await agentos.run(["network", "out", "--private", "team", "--offer", "8080"]);
  expect(joined.stdout).toBe("nothing but itself\nprivate network team, offers 8080\n");
  expect((await agentos.run(["network", "out", "--allow-host", "a.test"])).stdout).toBe(
    "a.test\nprivate network team, offers 8080\n",
  );
  expect((await agentos.run(["network", "out", "--leave"])).stdout).toBe("a.test\n");
  expect((await agentos.run(["network", "out", "--offer", "8080"])).exitCode).toBe(64);
  const wrong = await agentos.run(["network", "out", "--allow-host", "http://a"]);
  expect(wrong).toMatchObject({
    exitCode: 125,
    stderr: expect.stringContaining("expected a host"),
  });
});
