// A request's query string → the parameters its route takes, each once, or a problem document.
import { unknownNames } from "../core/decode/unknown-names.ts";
import { Problem } from "./problem.ts";

/** Every route takes its token here too (RFC 6750 §2.3). */
const TOKEN = "access_token";

/**
 * Returns the query parameters of `url`, the token left out; those in `repeatable` as lists, also when they come
 * once.
 * @param taken the parameters the route takes
 * @param repeatable those of `taken` that may come several times
 * @throws Problem `invalid_query` that names a parameter the route does not take, or that comes twice.
 */
export function readQuery(
  url: string,
  taken: readonly string[],
  repeatable: readonly string[] = [],
): Record<string, string | string[]> {
  const { searchParams } = new URL(url);
  const names = [...new Set(searchParams.keys())];
  const unknown = names.filter((name) => name !== TOKEN && !taken.includes(name));
  if (unknown.length > 0) throw new Problem("invalid_query", unknownNames("parameter", unknown, taken));
  const query: Record<string, string | string[]> = {};
  for (const name of names) {
    const values = searchParams.getAll(name);
    const isList = repeatable.includes(name);
    if (values.length > 1 && !isList)
      throw new Problem("invalid_query", `${name}: given ${values.length} times; it is taken once`);
    if (name !== TOKEN) query[name] = isList ? values : values[0]!;
  }
  return query;
}
