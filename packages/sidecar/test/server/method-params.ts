import { isMethodName, METHODS } from "@agentos/protocol";

const scope = { vmId: "v", fence: 1 };
const WORKFLOW = {
  ...scope,
  runId: "r",
  source: { workflow: { text: "version: '1.0'" } },
  step: "s",
  after: 0,
  callbacks: [],
};
const RELAY = {
  held: true,
  ...scope,
  agentId: "a",
  agent: { name: "A", session: { runtime: "scripted" } },
  agents: [{ name: "A", session: { runtime: "scripted" } }],
  name: "A",
  data: "",
  model: "m",
  messageId: "m",
  offset: 0,
  text: "",
  to: "A",
  channel: "c",
  deliveryId: "d",
  deliveryIds: ["d"],
  after: 0,
};
const PARAMS: Record<string, unknown> = Object.fromEntries(
  Object.keys(METHODS).map((method) => [method, scope]),
);
Object.assign(PARAMS, {
  "sidecar.keep": { keep: true },
  "key.revoke": { keyId: "k" },
  "vm.create": { vmId: "v", leaseId: "l" },
  "vm.attach": { vm: "v", leaseId: "l", mode: "shared" },
  "vm.end": { vm: "v" },
  "vm.setLimits": { ...scope, limits: { pids: 1 } },
  "vm.setNetwork": { ...scope, network: { egress: "none" } },
  "image.add": { name: "i", path: "/i" },
  "image.remove": { name: "i" },
  "snapshot.create": { ...scope, snapshotId: "s" },
  "snapshot.remove": { snapshot: "s" },
  "lease.release": { leaseId: "l", vmId: "v" },
  "lease.resume": { ...scope, leaseId: "l" },
  "stream.close": { ...scope, stream: 1 },
  "network.connect": { ...scope, stream: 1, port: 80 },
  "fs.rename": { ...scope, from: "/a", to: "/b" },
  "fs.copy": { ...scope, from: "/a", to: "/b" },
});
for (const method of Object.keys(METHODS)) {
  if (method.startsWith("session.")) {
    PARAMS[method] = {
      ...scope,
      sessionId: "s",
      turnId: "t",
      requestId: "r",
      childId: "c",
      content: "hi",
      source: "prompt",
      after: 0,
      callbacks: [],
      agent: { description: "a helper" },
      session: { sessionId: "s", runtime: "api" },
      into: { ...scope, sessionId: "t" },
      answer: { kind: "permission", decision: "allow" },
      mode: "m",
      model: "m",
    };
  }
  if (method.startsWith("workflow.")) PARAMS[method] = WORKFLOW;
  if (isMethodName(method) && method.startsWith("relay.")) {
    const { params } = METHODS[method];
    const sendable = { messageId: "m", to: "A", text: "" };
    PARAMS[method] = [RELAY, sendable, { after: 0 }, {}].find(
      (each) => params.safeParse(each).success,
    );
  }
  if (method.startsWith("process.")) {
    PARAMS[method] = { ...scope, processId: "p", argv: ["true"], stream: 1, signal: "SIGTERM" };
  }
  if (method.startsWith("terminal.")) {
    const asked = { terminalId: "t", attachmentId: "a", mode: "read", stream: 1 };
    PARAMS[method] = { ...scope, ...asked, argv: ["true"], cols: 80, rows: 24 };
  }
  if (method.startsWith("fs.") && PARAMS[method] === scope) {
    PARAMS[method] = {
      ...scope,
      path: "/a",
      stream: 1,
      mode: 0o600,
      length: 1,
      content: "b",
      processId: "p",
    };
  }
}

/** Params of the method that parse. */
export function paramsOf(method: string): unknown {
  return PARAMS[method] ?? {};
}
