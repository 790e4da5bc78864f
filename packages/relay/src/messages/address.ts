import {
  AgentName,
  AgentOsError,
  ChannelName,
  channelOf,
  parseArgument,
  TeamName,
} from "@agentos/protocol";

/** Where a message goes, as it was written. */
export type Address =
  | { readonly kind: "everybody" }
  | { readonly kind: "agent"; readonly name: string }
  | { readonly kind: "channel"; readonly name: string }
  | { readonly kind: "team"; readonly name: string }
  | { readonly kind: "person"; readonly name: string };

const DEFAULT_PERSON = "human:orchestrator";

/** `name`, `@name`, `#channel`, `team:name`, `human:name` or `*`. Throws `INVALID_ARGUMENT`. */
export function parseAddress(text: string): Address {
  if (text === "*") return { kind: "everybody" };
  if (text.startsWith("#")) {
    return { kind: "channel", name: channelOf(parseArgument(ChannelName, text, "to")) };
  }
  if (/^team:/i.test(text)) {
    return { kind: "team", name: parseArgument(TeamName, text.slice("team:".length), "to") };
  }
  if (/^human:/i.test(text)) return { kind: "person", name: personOf(text) };
  const name = text.startsWith("@") ? text.slice(1) : text;
  return { kind: "agent", name: parseArgument(AgentName, name, "to") };
}

/** A person's name with its `human:`; without one who leads. */
export function personOf(text: string | undefined): string {
  const name = (text ?? "").trim().replace(/^human:/i, "");
  if (name === "") return DEFAULT_PERSON;
  return `human:${parseArgument(TeamName, name, "from")}`;
}

/** Whether nobody but the relay itself speaks under that name. */
export function isSystem(name: string): boolean {
  return /^(system|broker)$/i.test(name);
}

export function unknownAgent(name: string): AgentOsError<"NOT_FOUND"> {
  const message = `no agent ${JSON.stringify(name)} lives here`;
  return new AgentOsError("NOT_FOUND", message, { kind: "agent", id: name });
}
