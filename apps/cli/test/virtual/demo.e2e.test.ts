import { expect, test } from "vitest";

import { DEMO_FIX } from "../../src/demo/demo-project.ts";
import { AgentOsCommand } from "../agentos-command.ts";

const SCRIPT = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"';
/** Takes from a machine what isolates, where it has that. */
const wrapper =
  process.env["AGENTOS_DRIVERS_HERE"] === "virtual"
    ? []
    : ["unshare", "--user", "--map-root-user", "sh", "-c", SCRIPT, "sh"];

test("where nothing isolates, the demo says why, and does a smaller job on the virtual driver", async () => {
  await using agentos = await AgentOsCommand.create();
  const { exitCode, stdout, stderr } = await agentos.run(["demo"], { wrapper });
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  for (const said of [
    /the linux driver is unavailable: ./,
    /the virtual driver, which isolates nothing/,
    /VM [\w-]+: driver virtual, none: .*no security boundary/,
    /exit code 0: there is the bug/,
    /exit code 1: it is gone/,
  ]) {
    expect(stdout).toMatch(said);
  }
  expect(stdout).toContain(`    -   ${DEMO_FIX.wrong}\n    +   ${DEMO_FIX.right}`);
});
