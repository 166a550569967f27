// The tenant's rules in D1 → rules, for every Worker that binds it.
import * as z from "zod";
import { type Rule, rule } from "../schemas/alert.ts";

/**
 * Returns all rules of the tenant, the disabled ones too, by id; a row that is no rule is logged and left out. To
 * know a version they are at least of, ask the tenant's object before: a rule is written first and the version raised
 * after.
 * @throws when D1 fails.
 */
export async function readRules(control: D1Database, tenant: string): Promise<Rule[]> {
  const { results } = await control
    .prepare("SELECT id, body FROM rule WHERE tenant = ?1 ORDER BY id")
    .bind(tenant)
    .all<{ id: string; body: string }>();
  return results.flatMap(({ id, body }) => {
    const read = rule.safeParse(JSON.parse(body));
    if (!read.success)
      console.error("a rule that is none", { tenant, id, error: z.prettifyError(read.error) });
    return read.success ? [read.data] : [];
  });
}
