// Tries what cgroups can do, again and again, until somebody ends it.
import { detectCgroups } from "../../src/cgroup/detect-cgroups.ts";

for (;;) await detectCgroups();
