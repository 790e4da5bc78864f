import * as z from "zod";

const LONGEST = 128;
/** What a terminal obeys, what hides what it shows, halves of characters, and what a path is made of. */
const REFUSED = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u200e\u200f\u202a-\u202e\u2066-\u2069/\\]/u;

const isPlain = (name: string): boolean =>
  !REFUSED.test(name) && !name.includes("..") && name === name.trim();

/**
 * An agent's name. Two names that differ only in case are the same. What an address may begin with, and the names of
 * those who are no agents, are refused.
 */
export const AgentName = z
  .string()
  .min(1)
  .max(LONGEST)
  .refine(isPlain, "expected no control characters, / or \\, .., or blanks around it")
  .refine((name) => !/^[#@*]/.test(name), "expected a name that does not begin with #, @ or *")
  .refine((name) => !/^(human|team):/i.test(name), "expected a name without human: or team:")
  .refine((name) => !/^(system|broker)$/i.test(name), "expected a name that is not reserved");

/** A channel's name, with or without its `#`. */
export const ChannelName = z
  .string()
  .min(1)
  .max(LONGEST + 1)
  .refine(isPlain, "expected no control characters, / or \\, .., or blanks around it")
  .refine((name) => /^#?[^#@*]/.test(name), "expected a channel's name");

/** The same without it. */
export function channelOf(name: string): string {
  return name.startsWith("#") ? name.slice(1) : name;
}

/** A team's name. */
export const TeamName = z
  .string()
  .min(1)
  .max(LONGEST)
  .refine(isPlain, "expected no control characters, / or \\, .., or blanks around it");

/** What a name is found by: names that differ only in case are the same. */
export function foldName(name: string): string {
  return name.normalize("NFC").toLowerCase();
}
