import { rows } from "../requirement.ts";

export const toolDoors = rows("agent-clis", {
  "tools.mcp": "a session's tools are an MCP server in its VM",
  "tools.desk": "a call from the VM passes the same hooks, policy, schema and audit as any other",
  "tools.malformed": "a malformed or endless line costs its own connection at most",
  "tools.token": "tools are opened by the token of their session, in its VM alone",
  "tools.cancel": "a call ends with the program that asked for it",
  "tools.ended": "a session's end ends its tools' connections",
  "tools.command": "a tool is a command with flags, read by its schema",
  "tools.usage": "the command says what it expected, and its exit code what went wrong",
  "tools.vm": "agentos-tool is on every VM's PATH, as a command and as an MCP server",
});
