import * as z from "zod";

/** As much of a JSON schema as it takes to make a value that fits. */
export interface JsonSchema {
  readonly type?: string | readonly string[] | undefined;
  readonly properties?: Readonly<Record<string, JsonSchema>> | undefined;
  readonly required?: readonly string[] | undefined;
  readonly items?: JsonSchema | undefined;
  readonly enum?: readonly unknown[] | undefined;
  readonly const?: unknown;
  readonly anyOf?: readonly JsonSchema[] | undefined;
  readonly oneOf?: readonly JsonSchema[] | undefined;
  readonly minimum?: number | undefined;
  readonly minItems?: number | undefined;
}

/** Reads what is known of a schema; what is not understood is as if it were not there. */
export const JsonSchema: z.ZodType<JsonSchema> = z.lazy(() =>
  z.looseObject({
    type: z.union([z.string(), z.array(z.string())]).optional(),
    properties: z.record(z.string(), JsonSchema).optional(),
    required: z.array(z.string()).optional(),
    items: JsonSchema.optional(),
    enum: z.array(z.unknown()).optional(),
    const: z.unknown().optional(),
    anyOf: z.array(JsonSchema).optional(),
    oneOf: z.array(JsonSchema).optional(),
    minimum: z.number().optional(),
    minItems: z.number().optional(),
  }),
);

/** The smallest value that fits: required properties only, the first of several choices. */
export function fitSchema(schema: JsonSchema): unknown {
  if (schema.const !== undefined) return schema.const;
  if (schema.enum !== undefined) return schema.enum[0];
  const choice = schema.anyOf?.[0] ?? schema.oneOf?.[0];
  if (choice !== undefined) return fitSchema(choice);
  switch (typeOf(schema)) {
    case "object":
      return fitObject(schema);
    case "array":
      return Array.from({ length: schema.minItems ?? 0 }, () => fitSchema(schema.items ?? {}));
    case "number":
    case "integer":
      return schema.minimum ?? 0;
    case "boolean":
      return false;
    case "null":
      return null;
    default:
      return "scripted";
  }
}

/** A schema's type in lower case: Gemini writes it in upper. */
export function typeOf({ type, properties }: JsonSchema): string {
  const first = typeof type === "string" ? type : type?.[0];
  return first?.toLowerCase() ?? (properties === undefined ? "string" : "object");
}

function fitObject({ properties = {}, required = [] }: JsonSchema): Record<string, unknown> {
  return Object.fromEntries(
    required.map((name) => [name, fitSchema(properties[name] ?? { type: "string" })]),
  );
}
