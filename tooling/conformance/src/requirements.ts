import type { DriverName, Requirement } from "./requirement.ts";
import { adoption } from "./requirements/adoption.ts";
import { agentClis } from "./requirements/agent-clis.ts";
import { apiRuntime } from "./requirements/api-runtime.ts";
import { asOrdinaryUser } from "./requirements/as-ordinary-user.ts";
import { badInput } from "./requirements/bad-input.ts";
import { controlPlane } from "./requirements/control-plane.ts";
import { documents } from "./requirements/documents.ts";
import { modelGateway } from "./requirements/gateway.ts";
import { isolation } from "./requirements/isolation.ts";
import { leases } from "./requirements/leases.ts";
import { limits } from "./requirements/limits.ts";
import { network } from "./requirements/network.ts";
import { onVirtual } from "./requirements/on-virtual.ts";
import { packages } from "./requirements/packages.ts";
import { programAgents } from "./requirements/program-agents.ts";
import { relay } from "./requirements/relay.ts";
import { sessionTools } from "./requirements/session-tools.ts";
import { sessionCases } from "./requirements/session-cases.ts";
import { sessions } from "./requirements/sessions.ts";
import { sidecarHandle } from "./requirements/sidecar-handle.ts";
import { images, snapshots } from "./requirements/snapshots.ts";
import { terminal } from "./requirements/terminal.ts";
import { toolDoors } from "./requirements/tool-doors.ts";
import { unix } from "./requirements/unix.ts";
import { virtual } from "./requirements/virtual.ts";
import { lifecycle, vm } from "./requirements/vm.ts";
import { vmEnds } from "./requirements/vm-ends.ts";
import { walls } from "./requirements/walls.ts";
import { workflows } from "./requirements/workflows.ts";
import { relayBroker } from "./requirements/relay-broker.ts";

const all: readonly Requirement[] = [
  ...sidecarHandle,
  ...controlPlane,
  ...isolation,
  ...walls,
  ...unix,
  ...vm,
  ...lifecycle,
  ...leases,
  ...adoption,
  ...limits,
  ...vmEnds,
  ...snapshots,
  ...images,
  ...badInput,
  ...virtual,
  ...documents,
  ...packages,
  ...sessionTools,
  ...sessions,
  ...relayBroker,
  ...workflows,
  ...sessionCases,
  ...apiRuntime,
  ...agentClis,
  ...programAgents,
  ...modelGateway,
  ...toolDoors,
  ...terminal,
  ...relay,
  ...network,
];

/** Every behaviour that AgentOS promises so far. */
export const requirements: readonly Requirement[] = all.map((requirement) => {
  const ordinaryUser = asOrdinaryUser[requirement.id];
  const virtually = onVirtual[requirement.id];
  const drivers = driversOf(requirement);
  return {
    ...requirement,
    ...(drivers === undefined ? {} : { drivers }),
    ...(ordinaryUser === undefined ? {} : { ordinaryUser }),
    ...(virtually === undefined ? {} : { virtually }),
  };
});

function driversOf({ id, needs }: Requirement): readonly DriverName[] | undefined {
  if (Object.hasOwn(onVirtual, id)) return ["linux", "virtual"];
  return needs === undefined ? undefined : [needs];
}
