import type { RuntimeRequest } from "@agentos/core";
import { AgentOsError, type SessionSpec } from "@agentos/protocol";

/** A session's system prompt: what replaces the agent's own words, and what is added to them. */
export function wordsOf(systemPrompt: SessionSpec["systemPrompt"]): {
  replaced?: string;
  appended: string[];
} {
  if (systemPrompt === undefined) return { appended: [] };
  if (typeof systemPrompt === "string") return { replaced: systemPrompt, appended: [] };
  if ("append" in systemPrompt) return { appended: [systemPrompt.append] };
  const appended = systemPrompt.sections.map(({ title, content }) =>
    title === undefined ? content : `## ${title}\n\n${content}`,
  );
  const { identity } = systemPrompt;
  return identity === undefined ? { appended } : { replaced: identity, appended };
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
  const { replaced, appended } = wordsOf(systemPrompt);
  if (replaced !== undefined) {
    const what = `a system prompt that replaces that of ${spec.runtime}`;
    const instead = "systemPrompt: { append }";
    throw new AgentOsError("UNSUPPORTED", `${what}: use ${instead}`, { what, instead });
  }
  const isSaid = skills !== undefined || workspaces !== undefined;
  const words = [...appended, ...(isSaid ? announcements : [])];
  return words.length === 0 ? undefined : words.join("\n\n");
}
