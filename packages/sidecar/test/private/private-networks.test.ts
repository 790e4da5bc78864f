import { once } from "node:events";

import { expect, test } from "vitest";

import { BOUNDS } from "../../src/bounds.ts";
import { TestSidecar } from "../sidecar-harness.ts";

const on = (ports: number[] = []) => ({
  network: { egress: "none" as const, private: { network: "team", ports } },
});

test("[private.bound] no more VMs than its bound are on a network, and who can't join is not made", async () => {
  await using world = await TestSidecar.start();
  await using client = await world.connect();
  for (let at = 0; at < BOUNDS.privateMembers; at++)
    // oxlint-disable-next-line no-await-in-loop -- The next one is one too many.
    await client.create(on());
  await expect(client.create(on())).rejects.toMatchObject({
    code: "POOL_EXHAUSTED",
    details: { capacity: BOUNDS.privateMembers },
  });
  expect(await client.create({})).toMatchObject({ vm: { network: { egress: "none" } } });
});

test("the last VM that leaves takes the doors to it along", async () => {
  await using world = await TestSidecar.start();
  await using client = await world.connect();
  const { lease: left } = await client.create(on());
  const { lease: right } = await client.create(on([5_000]));
  const [one, two] = world.driver.vms;
  const place = one?.network.places.find((each) => each.endsWith(":5000")) ?? "";
  two?.network.listen({ port: 5_000 }, (socket) => void socket.end("here"));
  const socket = one?.network.dial({ port: 5_000, address: place.split(":")[0] ?? "" });
  const [said] = socket === undefined ? [] : await once(socket, "data");
  expect(String(said)).toBe("here");
  await client.peer.request("lease.release", right);
  await expect.poll(() => one?.network.places).toEqual([]);
  await client.peer.request("lease.release", left);
});
