import type { RuntimeRequest } from "@agentos/core";
import { AgentOsError, type SessionSpec } from "@agentos/protocol";

/** Identity and titles of a prompt that adds to the agent's own. */
function sectionsOf(systemPrompt: SessionSpec["systemPrompt"]): string[] | undefined {
  if (systemPrompt === undefined) return [];
  if (typeof systemPrompt === "string") return undefined;
  if ("append" in systemPrompt) return [systemPrompt.append];
  if (systemPrompt.identity !== undefined) return undefined;
  return systemPrompt.sections.map(({ title, content }) =>
    title === undefined ? content : `## ${title}\n\n${content}`,
  );
}

/**
 * What a session has its agent told on top of the agent's own words; undefined where that is nothing.
 * Throws `UNSUPPORTED` for a prompt that is to replace those: most programs have no way to.
 */
export function systemWords({
  spec,
  announcements,
}: Pick<RuntimeRequest, "spec" | "announcements">): string | undefined {
  const { systemPrompt, skills, workspaces } = spec;
  const own = sectionsOf(systemPrompt);
  if (own === undefined) {
    const what = `a system prompt that replaces that of ${spec.runtime}`;
    const instead = "systemPrompt: { append }";
    throw new AgentOsError("UNSUPPORTED", `${what}: use ${instead}`, { what, instead });
  }
  const isSaid = skills !== undefined || workspaces !== undefined;
  const words = [...own, ...(isSaid ? announcements : [])];
  return words.length === 0 ? undefined : words.join("\n\n");
}
