import * as z from "zod";

/** Where VMs see the store of agents' programs, read-only. */
export const AGENTS_DIRECTORY = "/opt/agentos/agents";
/** In a version's folder of the store: what is installed there. */
export const AGENT_MANIFEST = "agentos.json";

/** The command that a runtime drives, as it comes from the npm registry. */
export interface AgentProgram {
  readonly package: string;
  /** What it is called in a shell. */
  readonly command: string;
  /** The version that this build was tried with. */
  readonly version: string;
  /** The package's own hash at that version, as npm writes it. */
  readonly integrity: string;
  /**
   * Paths below the version's folder, the first that is there counts: a native program is started
   * by itself, without the script that would look for it. `{cpu}` is x64 or arm64, `{machine}` x86_64 or aarch64.
   */
  readonly programs: readonly string[];
  /** Folders for PATH, below the version's folder. */
  readonly paths?: readonly string[];
}

const codexVendor = "node_modules/@openai/codex-linux-{cpu}/vendor/{machine}-unknown-linux-musl";

/** The agents whose programs can be installed, by runtime. */
export const AGENT_PROGRAMS = {
  "claude-code": {
    package: "@anthropic-ai/claude-code",
    command: "claude",
    version: "2.1.329",
    integrity:
      "sha512-WQ7RY331gsODjOoDBbeG1fjMfKY1Ur9yxWAOI9SgdLZvqA9sAREaezXt7e3uNbHlgjVAZg1IqlJT1J7WKViEFA==",
    programs: [
      "node_modules/@anthropic-ai/claude-code-linux-{cpu}/claude",
      "node_modules/@anthropic-ai/claude-code-linux-{cpu}-musl/claude",
    ],
  },
  codex: {
    package: "@openai/codex",
    command: "codex",
    version: "0.169.0",
    integrity:
      "sha512-KhzYlkKPxoNssR8CEm45IjqnFWn7UtlF4CiD3tOJPea51xBs7MaHy0UQG9GSbCqk6Lrjn5QdJDV0QD1/FgWlGw==",
    programs: [`${codexVendor}/bin/codex`],
    paths: [`${codexVendor}/codex-path`],
  },
  "gemini-cli": {
    package: "@google/gemini-cli",
    command: "gemini",
    version: "0.61.0",
    integrity:
      "sha512-dbQ9A0qBtFJNi6XBkHvfZ6Azpn6PNgH/P8h2MZ67RLlX8hSAVjup39CRWqdRxZv7YXIuhrFaytr8y0jKnkoxnQ==",
    programs: ["node_modules/.bin/gemini"],
  },
  opencode: {
    package: "opencode-ai",
    command: "opencode",
    version: "1.18.33",
    integrity:
      "sha512-58P1ffLRXiAY4QeoABqUjqf6DEzm1ihpovvn9Ad+oOLbLiwK/rf88wruT9IATJ7AtNjmi8iA7pC8tN4o5y799Q==",
    programs: [
      "node_modules/opencode-linux-{cpu}/bin/opencode",
      "node_modules/opencode-linux-{cpu}-musl/bin/opencode",
    ],
  },
  pi: {
    package: "@earendil-works/pi-coding-agent",
    command: "pi",
    version: "0.87.1",
    integrity:
      "sha512-m8ArJUtVcQMSe1lLE/Ei7vX/JV7O39sWmWBsXV2NOU70F0qCp8GubA24pT3LnwTmM6LL2xV80/h6sQg85n69ew==",
    programs: ["node_modules/.bin/pi"],
  },
} as const satisfies Record<string, AgentProgram>;

export type AgentProgramName = keyof typeof AGENT_PROGRAMS;

/** Whether this build knows how to install the agent's program. */
export function isAgentProgram(name: string): name is AgentProgramName {
  return Object.hasOwn(AGENT_PROGRAMS, name);
}

const Relative = z
  .string()
  .regex(/^(?!\/)(?!.*(^|\/)\.\.(\/|$)).+$/, "expected a path below the folder");

/** What is in a version's folder of the store. */
export const AgentManifest = z.object({
  agent: z.string(),
  package: z.string(),
  version: z.string(),
  /** Of the agent's own package, as the registry has it and npm checked it. */
  integrity: z.string(),
  /** ISO 8601. */
  installedAt: z.string(),
  /** Below the version's folder. */
  program: Relative,
  paths: z.array(Relative),
});
export type AgentManifest = z.infer<typeof AgentManifest>;

/** What a person types to have the agent. */
export function installLine(agent: string, version?: string): string {
  return `agentos agents install ${agent}${version === undefined ? "" : `@${version}`}`;
}
