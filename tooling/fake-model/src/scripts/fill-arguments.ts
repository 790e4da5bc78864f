import { fitSchema, typeOf, type JsonSchema } from "../conversation/json-schema.ts";

/** A value for the property whose name fits. */
export interface Wanted {
  readonly name: RegExp;
  readonly value: unknown;
  /** Left out where the tool does not require it. */
  readonly ifRequired?: boolean;
}

/**
 * Arguments that fit a tool's schema: what is wanted where a property of that name takes it, the
 * smallest value for what else is required. Undefined when something wanted has no place.
 */
export function fillArguments(
  schema: JsonSchema,
  wanted: readonly Wanted[],
): Record<string, unknown> | undefined {
  const { properties = {}, required = [] } = schema;
  const filled = fitSchema({ ...schema, type: "object", properties });
  const input: Record<string, unknown> = { ...(isRecord(filled) ? filled : {}) };
  for (const { name, value, ifRequired = false } of wanted) {
    const property = Object.keys(properties).find(
      (key) => name.test(key) && takes(properties[key] ?? {}, value),
    );
    if (property !== undefined && (!ifRequired || required.includes(property))) {
      input[property] = value;
    }
    if (property === undefined && !ifRequired) return undefined;
  }
  return input;
}

/** Whether a property's type is that of the value; a schema that says nothing takes anything. */
function takes(schema: JsonSchema, value: unknown): boolean {
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices !== undefined) return choices.some((choice) => takes(choice, value));
  if (schema.type === undefined) return true;
  const type = typeOf(schema);
  if (Array.isArray(value)) return type === "array";
  return typeof value === (type === "integer" ? "number" : type);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
