import { Json, type JsonObject } from "@agentos/protocol";
import * as z from "zod";

/** What of a JSON Schema decides how a flag is read. */
const Property = z.object({
  type: z.union([z.string(), z.array(z.string())]).optional(),
  description: z.string().optional(),
  enum: z.array(z.unknown()).optional(),
});
type Property = z.infer<typeof Property>;

const Schema = z.object({
  properties: z.record(z.string(), z.unknown()).optional(),
  required: z.array(z.string()).optional(),
});

export interface Flag {
  /** As it is in the input. */
  readonly name: string;
  readonly type: string;
  readonly description: string;
  readonly isRequired: boolean;
}

/** Arguments that can't be read; the message says what was expected. */
export class FlagError extends Error {}

/** The flags of a tool, from the schema of its input. */
export function flagsOf(schema: JsonObject): Flag[] {
  const { properties = {}, required = [] } = Schema.safeParse(schema).data ?? {};
  return Object.entries(properties).map(([name, value]) => {
    const property = Property.safeParse(value).data ?? {};
    return {
      name,
      type: typeOf(property),
      description: property.description ?? "",
      isRequired: required.includes(name),
    };
  });
}

/** `--flag value`, `--flag=value`, `--switch` and `--no-switch` as a tool's input; `--json` gives it whole. Throws `FlagError`. */
export function readFlags(schema: JsonObject, args: readonly string[]): Json {
  const flags = flagsOf(schema);
  const input = new Map<string, Json>();
  let whole: Json = {};
  for (let at = 0; at < args.length; at += 1) {
    const { name, value: inline } = split(args[at] ?? "");
    const flag = findFlag(flags, name);
    const next = args[at + 1];
    if (flag === undefined && name === "json") {
      whole = parseJson("json", inline ?? next ?? "");
      if (inline === undefined) at += 1;
      continue;
    }
    const off = flag === undefined ? findFlag(flags, name.replace(/^no-/, "")) : undefined;
    if (off?.type === "boolean" && inline === undefined) {
      input.set(off.name, false);
      continue;
    }
    if (flag === undefined) throw new FlagError(`there is no flag --${name}`);
    const isSwitch = flag.type === "boolean" && next !== "true" && next !== "false";
    if (inline === undefined && isSwitch) {
      input.set(flag.name, true);
      continue;
    }
    if (inline === undefined && next === undefined) {
      throw new FlagError(`--${name}: expected a value, got none`);
    }
    if (inline === undefined) at += 1;
    add(input, flag, inline ?? next ?? "");
  }
  const given = typeof whole === "object" && whole !== null && !Array.isArray(whole) ? whole : {};
  return Json.parse({ ...given, ...Object.fromEntries(input) });
}

/** A list may be given one by one. */
function add(input: Map<string, Json>, flag: Flag, text: string): void {
  if (flag.type !== "array" || text.startsWith("[")) {
    input.set(flag.name, coerced(flag, text));
    return;
  }
  const before = input.get(flag.name);
  input.set(flag.name, [...(Array.isArray(before) ? before : []), loose(text)]);
}

function coerced({ name, type }: Flag, text: string): Json {
  switch (type) {
    case "string":
      return text;
    case "number":
    case "integer": {
      const value = Number(text);
      if (text.trim() !== "" && Number.isFinite(value)) return value;
      throw new FlagError(
        `--${name}: expected ${type === "integer" ? "an integer" : "a number"}, got ${text}`,
      );
    }
    case "boolean":
      if (text === "true" || text === "false") return text === "true";
      throw new FlagError(`--${name}: expected true or false, got ${text}`);
    case "array":
    case "object":
      return parseJson(name, text);
    default:
      return loose(text);
  }
}

/** JSON where it is some, else text. */
function loose(text: string): Json {
  try {
    return Json.parse(JSON.parse(text));
  } catch {
    return text;
  }
}

function parseJson(name: string, text: string): Json {
  try {
    return Json.parse(JSON.parse(text));
  } catch {
    throw new FlagError(`--${name}: expected JSON, got ${text.slice(0, 100)}`);
  }
}

function split(arg: string): { name: string; value: string | undefined } {
  const [, name, value] = /^--([^=]+)(?:=([^]*))?$/.exec(arg) ?? [];
  if (name === undefined) throw new FlagError(`expected --flag, got ${arg}`);
  return { name, value };
}

/** `--max-count` is `maxCount` and `max_count`, too. */
function findFlag(flags: readonly Flag[], name: string): Flag | undefined {
  const exact = flags.find((flag) => flag.name === name);
  return exact ?? flags.find((flag) => plain(flag.name) === plain(name));
}

function plain(name: string): string {
  return name.replaceAll(/[-_]/g, "").toLowerCase();
}

function typeOf({ type, enum: values }: Property): string {
  const [first] = [type ?? []].flat().filter((each) => each !== "null");
  if (first !== undefined) return first;
  return values?.every((value) => typeof value === "string") === true ? "string" : "json";
}
