import { expect, it } from "vitest";
import { openApiDocument } from "./openapi.ts";
import { type Document, describable } from "./openapi-describe.ts";
import { GLOSSARY } from "./openapi-glossary.ts";

const document = openApiDocument() as unknown as Document;
const all = [...describable(document)];

it("[Q17] every parameter and every field of a body says in words what it is", () => {
  const mute = all.filter(({ on }) => !on.description?.trim());
  expect(mute.map(({ place, name }) => `${place}.${name}: add it to scripts/openapi-glossary.ts`)).toEqual(
    [],
  );
  expect(all.length).toBeGreaterThan(200);
});

it("[Q17] words that mean something else in one place say that there", () => {
  const said = (path: string, name: string) =>
    document.paths[path]!.get!.parameters!.find((parameter) => parameter.name === name)!.description;
  expect(said("/v1/archive", "from")).toBe(GLOSSARY["archive.from"]);
  expect(said("/v1/zones/{zone}/history", "from")).toBe(GLOSSARY["history.from"]);
  expect(said("/v1/alerts", "from")).toBe(GLOSSARY["alerts.from"]);
  const fields = (place: string, name: string) =>
    all.filter((field) => field.place === place && field.name === name).map(({ on }) => on.description);
  expect(new Set(fields("hours", "from"))).toEqual(new Set([GLOSSARY["hours.from"]]));
  expect(new Set(fields("target", "from"))).toEqual(new Set([GLOSSARY["target.from"]]));
});
