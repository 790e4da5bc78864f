import { AgentOs, type NetworkDecision, type NetworkPolicy } from "@agentos/client";
import { expect, test } from "vitest";

import { until, useWorld } from "./world.ts";

useWorld();

const SERVER = `const s = require("net").createServer((c) => c.end(process.argv[2] + "\\n"));
s.listen(Number(process.argv[1]), "127.0.0.1", () => console.log("up"))`;

async function serve(os: AgentOs, port: number, text: string): Promise<void> {
  const server = await os.spawn(["node", "-e", SERVER, String(port), text]);
  await server.stdout.getReader().read();
}

/** What a program of the VM is told there, or why it is told nothing. */
async function ask(os: AgentOs, host: string, port: number): Promise<string> {
  const program = `const c = require("net").connect(${port}, "${host}");
c.on("data", (d) => process.stdout.write(d)); c.on("error", (e) => console.log(e.code));
c.on("close", (failed) => failed || console.log("closed"))`;
  return (await os.exec(["node", "-e", program])).stdout.trim();
}

const on = (network: string, ports: number[] = []) =>
  ({ egress: "none", private: { network, ports } }) as const;

test("[private.names] [private.deny] VMs on one network reach what each offers by name, and others nothing", async () => {
  const offers: NetworkPolicy = {
    ...on("team", [5432, 6000, 3128]),
    egress: "allow",
    hosts: [],
  };
  await using db = await AgentOs.create({ name: "db", network: offers });
  await using web = await AgentOs.create({ name: "web", network: on("team", [8080]) });
  await using stranger = await AgentOs.create({ name: "stranger", network: on("other", [5432]) });
  await using alone = await AgentOs.create();
  const decisions: NetworkDecision[] = [];
  web.onNetwork((decision) => decisions.push(decision));
  await serve(db, 5432, "from db");
  await serve(db, 5433, "not offered");
  await serve(web, 8080, "from web");
  expect(await ask(web, "db", 5432)).toBe("from db\nclosed");
  expect(await ask(db, "web", 8080)).toBe("from web\nclosed");
  expect(await ask(web, "db", 5433)).toBe("ECONNREFUSED");
  expect(await ask(web, "db", 6000)).toBe("ECONNRESET");
  // The way out of db is for db alone.
  expect(await ask(web, "db", 3128)).toBe("ECONNRESET");
  const { stdout: address } = await web.exec("getent hosts db | cut -d ' ' -f 1");
  for (const other of [stranger, alone]) {
    expect(await ask(other, "db", 5432)).toMatch(/ENOTFOUND|EAI_AGAIN/);
    expect(await ask(other, address.trim(), 5432)).toBe("ECONNREFUSED");
  }
  await until(() => decisions.length === 3);
  expect(decisions).toMatchObject([
    { decision: "allowed", via: "private", host: "db", port: 5432 },
    {
      decision: "refused",
      via: "private",
      host: "db",
      port: 6000,
      reason: "nothing listens there",
    },
    { decision: "refused", via: "private", host: "db", port: 3128 },
  ]);
  expect((await db.info()).network).toEqual(offers);
  await db.end();
  expect(await ask(web, "db", 5432)).toMatch(/ENOTFOUND|EAI_AGAIN/);
  await Promise.all([web.end(), stranger.end()]);
});

test("[private.live] [bad.private] joining, offering and leaving hold at once, and cut what is open", async () => {
  await using one = await AgentOs.create({ network: on("live") });
  await using two = await AgentOs.create();
  await two.exec("true");
  await serve(two, 7000, "here");
  await two.setNetwork(on("live", [7000, 7001]));
  expect(await ask(one, two.id, 7000)).toBe("here\nclosed");
  const held = await two.spawn([
    "node",
    "-e",
    `require("net").createServer(() => {}).listen(7001, () => console.log("up"))`,
  ]);
  await held.stdout.getReader().read();
  const open = one.exec([
    "node",
    "-e",
    `const c = require("net").connect(7001, "${two.id}", () => require("fs").writeFileSync("/tmp/open", ""));
c.on("error", () => {}); c.on("close", () => console.log("cut"))`,
  ]);
  await until(() => one.fs.exists("/tmp/open"));
  await two.setNetwork(on("live", [7000]));
  expect((await open).stdout).toBe("cut\n");
  expect(await ask(one, two.id, 7001)).toBe("ECONNREFUSED");
  await two.setNetwork({ egress: "none" });
  expect(await ask(one, two.id, 7000)).toMatch(/ENOTFOUND|EAI_AGAIN/);
  expect((await two.exec("cat /etc/hosts")).stdout).not.toContain("private");
  for (const network of [
    { network: "No Name" },
    { network: "x", ports: [80] },
    { network: "x", all: true },
  ])
    await expect(
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- What no type allows.
      two.setNetwork({ egress: "none", private: network } as never),
    ).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
});

test("[private.adopted] the network is there in the next life of the sidecar", async () => {
  await using one = await AgentOs.create({ name: "one", network: on("after", [7100]) });
  await using two = await AgentOs.create({ name: "two", network: on("after") });
  await serve(one, 7100, "still");
  expect(await ask(two, "one", 7100)).toBe("still\nclosed");
  const { sidecarPid } = await one.info();
  process.kill(sidecarPid, "SIGKILL");
  await until(async () => (await two.info()).sidecarPid !== sidecarPid);
  expect(await ask(two, "one", 7100)).toBe("still\nclosed");
  await Promise.all([one.end(), two.end()]);
});
