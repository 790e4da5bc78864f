import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { createServer as createSocketServer } from "node:net";

import { AgentOs, type NetworkDecision } from "@agentos/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { until, useWorld } from "./world.ts";

useWorld();
let os: AgentOs;
let server: Server;
let port: number;

beforeAll(async () => {
  server = createServer((request, response) => response.end(`answered ${request.url}`));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("expected a port");
  port = address.port;
  os = await AgentOs.create({ name: "out", network: { egress: "allow", hosts: [] } });
});
afterAll(async () => {
  server.close();
  await os.end();
});

/** What a program of the VM gets from the server out here: a status, then a text. */
const FETCH = `
const request = require("http").request({ host: "127.0.0.1", port: 3128, path: process.argv[1] }, (response) => {
  let text = ""; response.on("data", (d) => text += d); response.on("end", () => console.log(response.statusCode, text.trim()));
});
request.on("error", (error) => console.log(error.code));
request.end();
`;
/** Ways around that are no TCP. */
const SOCKETS = `
import errno, socket
def attempt(name, family, kind, protocol=0, to=None):
    try:
        made = socket.socket(family, kind, protocol)
        if to is not None: made.connect(to)
        print(name, "open")
    except OSError as error: print(name, errno.errorcode[error.errno])
attempt("vsock", 40, socket.SOCK_STREAM)
attempt("packet", 17, socket.SOCK_RAW)
attempt("alg", 38, socket.SOCK_SEQPACKET)
attempt("netlink-audit", 16, socket.SOCK_RAW, 9)
attempt("raw", socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
attempt("raw6", socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
attempt("ping", socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
attempt("mapped", socket.AF_INET6, socket.SOCK_STREAM, 0, ("::ffff:1.1.1.1", 443))
attempt("multicast", socket.AF_INET, socket.SOCK_DGRAM, 0, ("224.0.0.251", 5353))
attempt("abstract", socket.AF_UNIX, socket.SOCK_STREAM, 0, "\\0agentos-conformance")
`;
const connectionsTo = (path: string) =>
  createSocketServer((socket) => socket.destroy()).listen({ path });
const ask = async (path = "/"): Promise<string> =>
  (await os.exec(["node", "-e", FETCH, `http://127.0.0.1:${port}${path}`])).stdout.trim();

describe("egress", () => {
  test("[network.programs] programs find the proxy by their environment, and what the policy names behind it", async () => {
    const decisions: NetworkDecision[] = [];
    const stop = os.onNetwork((decision) => decisions.push(decision));
    expect(await ask()).toMatch(/^403 .*the policy does not name/);
    const info = await os.setNetwork({ egress: "allow", hosts: [`127.0.0.1:${port}`] });
    expect(info.network).toEqual({ egress: "allow", hosts: [`127.0.0.1:${port}`] });
    expect(await ask("/in")).toBe("200 answered /in");
    await until(() => decisions.length >= 2);
    expect(decisions).toMatchObject([
      { decision: "refused", host: "127.0.0.1", port },
      { decision: "allowed", address: "127.0.0.1", via: "http" },
    ]);
    stop();
    const { stdout } = await os.exec("env | grep -i proxy | sort; env | grep NODE_USE");
    expect(stdout).toContain("HTTPS_PROXY=http://127.0.0.1:3128\n");
    expect(stdout).toContain("no_proxy=localhost,127.0.0.1,::1\n");
    // A program that knows no proxy but its environment: Node's own fetch, and curl.
    const env = { NO_PROXY: "", no_proxy: "" };
    const own = `fetch("http://127.0.0.1:${port}/own").then(async (r) => console.log(await r.text()), (e) => console.log(e.message))`;
    expect((await os.exec(["node", "-e", own], { env })).stdout).toBe("answered /own\n");
    const curl = ["curl", "-s", `http://127.0.0.1:${port}/curl`];
    // 127: the image has no curl.
    expect([0, 127]).toContain((await os.exec(curl, { env })).exitCode);
    const socks = [...curl, "-x", "socks5h://127.0.0.1:1080"];
    expect([0, 127]).toContain((await os.exec(socks, { env })).exitCode);
    expect((await os.stats()).network).toMatchObject({
      refused: 1,
      connections: expect.any(Number),
    });
  });

  test("[network.walls] [S35] around the proxy there is no way out", async () => {
    const abstract = connectionsTo("\0agentos-conformance");
    await once(abstract, "listening");
    const attack = `
      const dgram = require("dgram"), net = require("net"), dns = require("dns");
      const say = (name) => (result) => console.log(name, result instanceof Error ? result.code : result);
      const udp = (port, host) => new Promise((resolve) => dgram.createSocket("udp4").send("x", port, host, (e) => resolve(e ?? "sent")));
      const tcp = (port, host) => new Promise((resolve) => net.connect(port, host, () => resolve("connected")).on("error", resolve));
      (async () => {
        say("udp")(await udp(53, "8.8.8.8"));
        say("tcp")(await tcp(443, "1.1.1.1"));
        say("metadata")(await tcp(80, "169.254.169.254"));
        say("host")(await tcp(${port}, "127.0.0.1"));
        say("six")(await tcp(443, "2606:4700:4700::1111"));
        say("dns")(await new Promise((resolve) => dns.resolve("example.com", (e) => resolve(e ?? "resolved"))));
        process.exit();
      })();`;
    const { stdout } = await os.exec(["node", "-e", attack]);
    expect(stdout.split("\n").slice(0, -1)).toEqual([
      "udp ENETUNREACH",
      "tcp ENETUNREACH",
      "metadata ENETUNREACH",
      "host ECONNREFUSED",
      expect.stringMatching(/^six E(?:NETUNREACH|ADDRNOTAVAIL|AFNOSUPPORT)$/),
      "dns ECONNREFUSED",
    ]);
    const sockets = (await os.exec(["python3", "-c", SOCKETS])).stdout.trim().split("\n");
    abstract.close();
    expect(sockets).toEqual([
      "vsock EAFNOSUPPORT",
      "packet EAFNOSUPPORT",
      "alg EAFNOSUPPORT",
      "netlink-audit EPROTONOSUPPORT",
      "raw EPERM",
      "raw6 EPERM",
      "ping EACCES",
      "mapped ENETUNREACH",
      "multicast ENETUNREACH",
      "abstract ECONNREFUSED",
    ]);
  });

  test("[network.adopted] the policy holds on in the next life of a sidecar", async () => {
    await os.setNetwork({ egress: "allow", hosts: [`127.0.0.1:${port}`] });
    const { sidecarPid } = await os.info();
    process.kill(sidecarPid, "SIGKILL");
    expect(await ask("/again")).toBe("200 answered /again");
    const after = await os.info();
    expect(after.sidecarPid).not.toBe(sidecarPid);
    expect(after.network).toEqual({ egress: "allow", hosts: [`127.0.0.1:${port}`] });
    await os.setNetwork({ egress: "none" });
    expect(await ask()).toBe("ECONNREFUSED");
    expect((await os.info()).network).toEqual({ egress: "none" });
    expect((await os.exec("env | grep -ci proxy")).stdout.trim()).toBe("0");
  });

  test("[network.bad-policy] what is no policy is refused, and changes nothing", async () => {
    for (const hosts of [["http://a.test"], ["a.test:0"], [""], ["*.1.2.3.4"]]) {
      // oxlint-disable-next-line no-await-in-loop
      await expect(os.setNetwork({ egress: "allow", hosts })).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
      });
      // oxlint-disable-next-line no-await-in-loop
      await expect(AgentOs.create({ network: { egress: "allow", hosts } })).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
      });
    }
    await os.spawn(["node", "-e", `require("net").createServer().listen(1080, "127.0.0.1")`]);
    await until(async () =>
      (await os.exec("cat /proc/net/tcp")).stdout.includes("0100007F:0438 00000000:0000 0A"),
    );
    const taken = os.setNetwork({ egress: "allow", hosts: [] });
    await expect(taken).rejects.toMatchObject({ code: "PORT_IN_USE", details: { port: "1080" } });
    expect((await os.info()).network).toEqual({ egress: "none" });
  });
});
