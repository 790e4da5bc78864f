import {
  AgentOsError,
  type AgentSpec,
  type RelayMessage,
  type ShadowMode,
} from "@agentos/protocol";

import { isSame } from "../messages/reach.ts";
import type { Agent } from "./agent.ts";
import type { Roster } from "./roster.ts";

type Trigger = Exclude<ShadowMode, "reviewer" | "auditor" | "active">;

const TRIGGERS: Readonly<Record<ShadowMode, readonly Trigger[]>> = {
  all_messages: ["all_messages"],
  explicit_ask: ["explicit_ask"],
  session_end: ["session_end"],
  code_written: ["code_written"],
  review_request: ["review_request"],
  reviewer: ["code_written", "review_request", "explicit_ask"],
  auditor: ["session_end", "explicit_ask"],
  active: ["all_messages"],
};

/** What a shadow is told of a message of its primary. */
export interface Copy {
  readonly shadow: Agent;
  readonly text: string;
  readonly of: RelayMessage;
}

/** Agents that read along with others. */
export class Shadows {
  readonly #roster: Roster;

  constructor(roster: Roster) {
    this.#roster = roster;
  }

  /** Throws `INVALID_ARGUMENT` for a shadow of itself, of a shadow, or of nobody. */
  check({ name, shadowOf }: AgentSpec): void {
    if (shadowOf === undefined) return;
    const primary = this.#roster.find(shadowOf);
    if (primary !== undefined && primary.stored.spec.shadowOf === undefined) {
      if (!isSame(name, shadowOf)) return;
    }
    const argument = "agent.shadowOf";
    const expected = "another agent that lives and is no shadow";
    const message = `${argument}: expected ${expected}, got ${JSON.stringify(shadowOf)}`;
    throw new AgentOsError("INVALID_ARGUMENT", message, { argument, expected, actual: shadowOf });
  }

  /** Never of a copy, so that nothing goes round. */
  copiesOf(message: RelayMessage, recipients: readonly { name: string }[]): Copy[] {
    if (message.kind !== "message") return [];
    const copies: Copy[] = [];
    for (const shadow of this.#shadows) {
      const primary = shadow.stored.spec.shadowOf ?? "";
      const isFrom = isSame(message.from, primary);
      const isTo = recipients.some(({ name }) => isSame(name, primary));
      const isItsOwn = isSame(message.from, shadow.name);
      if (isItsOwn || (!isFrom && !isTo) || !isWanted(shadow, message.text)) continue;
      const direction = isFrom ? `${primary} to ${message.to}` : `${message.from} to ${primary}`;
      copies.push({ shadow, text: `[${direction}] ${message.text}`, of: message });
    }
    return copies;
  }

  /** Those that are told of a primary's end. */
  of(primary: string): Agent[] {
    return this.#shadows.filter(
      (shadow) =>
        isSame(shadow.stored.spec.shadowOf ?? "", primary) &&
        triggersOf(shadow).some((trigger) => trigger !== "explicit_ask"),
    );
  }

  get #shadows(): Agent[] {
    return this.#roster.reachable.filter(({ stored }) => stored.spec.shadowOf !== undefined);
  }
}

function triggersOf({ stored }: Agent): readonly Trigger[] {
  return TRIGGERS[stored.spec.shadowMode ?? "explicit_ask"];
}

function isWanted(shadow: Agent, text: string): boolean {
  return triggersOf(shadow).some((trigger) => {
    if (trigger === "all_messages") return true;
    if (trigger === "explicit_ask")
      return text.toLowerCase().includes(`@${shadow.name.toLowerCase()}`);
    if (trigger === "code_written") return text.includes("```");
    return trigger === "review_request" && /\breview\b/i.test(text);
  });
}
