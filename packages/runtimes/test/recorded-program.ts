import { readFile } from "node:fs/promises";

import { Json } from "@agentos/protocol";
import type { FakeProgram, ProgramContext } from "@agentos/testing";
import * as z from "zod";

const Message = z.record(z.string(), Json);
const Step = z.union([
  z.object({ from: z.enum(["agent", "client"]), line: Message }),
  z.object({ exit: z.int().nullable() }),
]);
type Message = z.infer<typeof Message>;

export interface Replay {
  /** Lines that the program was given, as they came. */
  readonly heard: Message[];
  readonly argv: string[][];
  readonly program: FakeProgram;
}

export interface ReplayOptions {
  /** What tells two lines of the client for the same, and the id that answers name. */
  readonly kindOf: (line: Message) => string;
  readonly idOf: (line: Message) => string | number | undefined;
  /** What the program does besides before it says a line. */
  readonly before?: (line: Message, context: ProgramContext) => Promise<void>;
}

/** A stand-in for an agent's program: it says what the real one said, each time that it hears what the real one heard. */
export async function replay(path: URL, options: ReplayOptions): Promise<Replay> {
  const text = await readFile(path, "utf8");
  const steps = text
    .trim()
    .split("\n")
    .map((line) => Step.parse(JSON.parse(line)));
  const heard: Message[] = [];
  const argv: string[][] = [];
  const program: FakeProgram = async (context) => {
    argv.push([...context.argv]);
    const lines = linesOf(context);
    const ids = new Map<string | number, string | number>();
    for (const step of steps) {
      if ("exit" in step) break;
      const { from, line } = step;
      if (from === "agent") {
        // oxlint-disable-next-line no-await-in-loop -- In order.
        await options.before?.(line, context);
        // oxlint-disable-next-line no-await-in-loop -- In order.
        await context.stdout(`${renamed(line, ids)}\n`);
        continue;
      }
      // oxlint-disable-next-line no-await-in-loop -- In order.
      const { value, done } = await lines.next();
      if (done === true) return 0;
      heard.push(value);
      if (options.kindOf(value) !== options.kindOf(line)) {
        // oxlint-disable-next-line no-await-in-loop -- In order.
        await context.stderr(`expected ${JSON.stringify(line)}, got ${JSON.stringify(value)}\n`);
        return 99;
      }
      const [recorded, actual] = [options.idOf(line), options.idOf(value)];
      if (recorded !== undefined && actual !== undefined) ids.set(recorded, actual);
    }
    for await (const line of lines) heard.push(line);
    const last = steps.at(-1);
    return last !== undefined && "exit" in last ? (last.exit ?? 0) : 0;
  };
  return { heard, argv, program };
}

/** Requests of ours have other ids than those of the recording. */
function renamed(line: Message, ids: ReadonlyMap<string | number, string | number>): string {
  const { id, method } = line;
  const isAnswer = method === undefined && (typeof id === "number" || typeof id === "string");
  const own = isAnswer ? { ...line, id: ids.get(id) ?? id } : line;
  return [...ids].reduce(
    (text, [from, to]) =>
      typeof from === "string" ? text.replaceAll(`"${from}"`, `"${to}"`) : text,
    JSON.stringify(own),
  );
}

async function* linesOf({ stdin }: Pick<ProgramContext, "stdin">): AsyncGenerator<Message, void> {
  let rest = "";
  for await (const bytes of stdin) {
    const lines = (rest + Buffer.from(bytes).toString()).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) yield Message.parse(JSON.parse(line));
  }
}
