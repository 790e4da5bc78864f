import { AgentOsError, DEFAULTS, isAgentOsError } from "@agentos/protocol";
import * as z from "zod";

import type { ToolDeskRequest } from "../../tool-desk.ts";
import { httpGet, placeOf, webAddress } from "../../web/http-get.ts";
import { readPage } from "../../web/read-page.ts";
import { builtinTool } from "../builtin-tool.ts";
import type { Tool, ToolOutput } from "../tool.ts";

/** From the request to the end of what is read. */
const READ_MS = 30_000;
const MAX_URL_CHARS = 8_192;
const BOUNDS = {
  maxBytes: 4 * 1024 * 1024,
  maxChars: 1024 * 1024,
  // As base64 it must fit into a result.
  maxImageBytes: Math.floor((DEFAULTS.toolResultBytes * 3) / 4),
};

/** read_url: a page of the web as text, where the VM's network policy lets it through. */
export function readUrl(context: ToolDeskRequest): Tool {
  const { vm } = context;
  return builtinTool({
    name: "read_url",
    description: "Read a page or file of the web by its http or https URL, as text.",
    input: z.object({ url: z.string().min(1).max(MAX_URL_CHARS) }),
    crossesBorder: true,
    // Nobody is asked about what the VM's network refuses anyway.
    assertPossible: ({ url }) => {
      const { host, port } = placeOf(webAddress(url, "read_url.url"));
      vm.egress().assertAllowed(host, port);
    },
    run: async ({ url }, { signal }) =>
      await read(context, webAddress(url, "read_url.url"), signal),
  });
}

async function read(
  { vm, clock }: ToolDeskRequest,
  url: URL,
  signal: AbortSignal,
): Promise<ToolOutput> {
  const late = new AbortController();
  const cancel = clock.after(READ_MS, () => late.abort(deadlineExceeded(url)));
  const either = AbortSignal.any([signal, late.signal]);
  try {
    const answer = await httpGet(() => vm.egress(), url, either);
    const { content, isCut } = await readPage(answer, BOUNDS);
    const isFailure = answer.status >= 400;
    const facts = [
      ...(isFailure ? [`HTTP status ${answer.status}`] : []),
      ...(answer.url.href === url.href ? [] : [`redirected to ${answer.url.href}`]),
      ...(isCut ? ["the rest of it was not read"] : []),
    ];
    const told = facts.map((text) => ({ type: "text" as const, text: `(${text})\n` }));
    return { content: [...told, ...content], isError: isFailure };
  } catch (error) {
    late.signal.throwIfAborted();
    throw isAgentOsError(error) || signal.aborted ? error : cut(url, error);
  } finally {
    cancel();
  }
}

function deadlineExceeded({ href }: URL): AgentOsError {
  const operation = `reading ${href}`;
  const message = `${operation}: expected its end within ${READ_MS} ms`;
  return new AgentOsError("DEADLINE_EXCEEDED", message, { operation, deadlineMs: READ_MS });
}

/** The answer broke off in its middle. */
function cut(url: URL, error: unknown): AgentOsError {
  const reason = error instanceof Error ? error.message : "it broke off";
  const message = `${url.href} can't be read to its end: ${reason}`;
  return new AgentOsError("HOST_UNREACHABLE", message, { ...placeOf(url), reason });
}
