// An OpenAPI document → the same, each parameter and each field of a request's body with what the glossary says of it.
import { GLOSSARY } from "./openapi-glossary.ts";

/** What the document has of these; the rest is left alone. */
interface Schema {
  $ref?: string;
  description?: string;
  properties?: Record<string, Schema>;
  items?: Schema;
  anyOf?: Schema[];
  oneOf?: Schema[];
  allOf?: Schema[];
}
interface Operation {
  parameters?: { name: string; description?: string }[];
  requestBody?: { content: Record<string, { schema: Schema }> };
}
export interface Document {
  components: { schemas: Record<string, Schema> };
  paths: Record<string, Record<string, Operation>>;
}

/** A word with the place that its meaning may depend on. */
interface Described {
  place: string;
  name: string;
  on: { description?: string };
}

/** Every parameter and every field of a request's body; a component that several bodies share comes once. */
export function* describable({ components, paths }: Document): Generator<Described> {
  const seen = new Set<string>();
  function* fieldsOf(schema: Schema, place: string): Generator<Described> {
    const component = schema.$ref?.split("/").at(-1);
    if (component !== undefined && !seen.has(component)) {
      seen.add(component);
      yield* fieldsOf(components.schemas[component]!, component);
    }
    for (const [name, field] of Object.entries(schema.properties ?? {})) {
      yield { place, name, on: field };
      yield* fieldsOf(field, name);
    }
    const parts = [schema.items ?? [], schema.anyOf ?? [], schema.oneOf ?? [], schema.allOf ?? []].flat();
    for (const part of parts) yield* fieldsOf(part, place);
  }
  for (const [path, operations] of Object.entries(paths)) {
    const fixed = path.split("/").filter((segment) => !segment.startsWith("{"));
    const place = fixed.at(-1)!;
    for (const { parameters = [], requestBody } of Object.values(operations)) {
      for (const parameter of parameters) yield { place, name: parameter.name, on: parameter };
      for (const { schema } of Object.values(requestBody?.content ?? {})) yield* fieldsOf(schema, place);
    }
  }
}

/** Fills in what is not described already. */
export function describe<T>(document: T): T {
  for (const { place, name, on } of describable(document as Document)) {
    const text = GLOSSARY[`${place}.${name}`] ?? GLOSSARY[name];
    if (text !== undefined) on.description ??= text;
  }
  return document;
}
