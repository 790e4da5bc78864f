import * as z from "zod";

import * as protocol from "../src/index.ts";

/** The exported schemas, which other notations may name. */
export const NAMED_SCHEMAS: readonly (readonly [string, z.ZodType])[] = Object.entries(
  protocol,
).flatMap(([name, value]) => (value instanceof z.ZodType ? [[name, value] as const] : []));

const names = new Map<z.core.$ZodType, string>(NAMED_SCHEMAS.map(([name, type]) => [type, name]));

/** A schema in a short TypeScript-like notation; exported schemas by their names. */
export function notationOf(schema: z.core.$ZodType): string {
  return names.get(schema) ?? structureOf(schema);
}

/** The same, with the outermost schema spelled out. */
export function structureOf(schema: z.core.$ZodType): string {
  if (schema instanceof z.ZodObject) return objectOf(schema.shape);
  if (schema instanceof z.ZodOptional) return notationOf(schema.unwrap());
  if (schema instanceof z.ZodNullable) return `${notationOf(schema.unwrap())} | null`;
  if (schema instanceof z.ZodArray) return arrayOf(notationOf(schema.element));
  if (schema instanceof z.ZodEnum) return quoted(schema.options);
  if (schema instanceof z.ZodLiteral) return quoted([...schema.values]);
  if (schema instanceof z.ZodUnion) return schema.options.map(notationOf).join(" | ");
  if (schema instanceof z.ZodPipe) return notationOf(schema.out);
  if (schema instanceof z.ZodRecord) return `{ [name]: ${notationOf(schema.valueType)} }`;
  if (schema instanceof z.ZodIntersection) {
    return `${notationOf(schema.def.left)} & (${notationOf(schema.def.right)})`;
  }
  if (schema instanceof z.ZodString || schema instanceof z.ZodStringFormat) return "string";
  if (schema instanceof z.ZodNull) return "null";
  if (schema instanceof z.ZodLazy) return "any JSON";
  if (schema instanceof z.ZodNumber) return schema.isInt ? "int" : "number";
  if (schema instanceof z.ZodBoolean) return "boolean";
  if (schema instanceof z.ZodUnknown) return "any JSON";
  const type = schema instanceof z.ZodType ? schema.def.type : "unknown";
  throw new Error(`no notation for a schema of type ${type}`);
}

function objectOf(shape: Readonly<Record<string, z.core.$ZodType>>): string {
  const scope = Object.entries(protocol.VmScope.shape);
  const isScoped =
    shape !== protocol.VmScope.shape && scope.every(([name, type]) => shape[name] === type);
  const own = Object.entries(shape).filter(
    ([name]) => !(isScoped && name in protocol.VmScope.shape),
  );
  const fields = own.map(([name, type]) => {
    const mark = type instanceof z.ZodOptional ? "?" : "";
    return `${name}${mark}: ${notationOf(type)}`;
  });
  const all = isScoped ? ["...VmScope", ...fields] : fields;
  return all.length === 0 ? "{}" : `{ ${all.join(", ")} }`;
}

function arrayOf(element: string): string {
  return element.includes(" | ") ? `(${element})[]` : `${element}[]`;
}

function quoted(values: readonly unknown[]): string {
  return values.map((value) => JSON.stringify(value)).join(" | ");
}
