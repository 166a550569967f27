// Tokens that the api has made, in D1: what each says, and whether it was revoked, never the token itself.
import { and, desc, eq, lt } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { TOKENS_PER_TENANT_MAX } from "../../schemas/limits.ts";
import { token as tokenTable } from "../../schemas/tables.ts";
import type { TenantRole, TokenEntry, TokenList } from "../../schemas/token.ts";
import { Problem } from "../problem.ts";
import { fromStorage } from "./storage.ts";

/**
 * Notes tokens that are to be made, all or none; those of the tenant that have expired are dropped. Costs two rows for each.
 * @throws Problem `conflict`: the tenant would have too many.
 */
export async function insertTokens(
  control: D1Database,
  tenant: string,
  tokens: readonly TokenEntry[],
  nowMs: number,
) {
  const [, inserted] = await fromStorage(
    "D1",
    control.batch([
      control.prepare("DELETE FROM token WHERE tenant = ?1 AND expires_at <= ?2").bind(tenant, nowMs),
      control.prepare(INSERT).bind(tenant, JSON.stringify(tokens), TOKENS_PER_TENANT_MAX - tokens.length),
    ]),
  );
  if (inserted!.meta.changes > 0) return;
  throw new Problem(
    "conflict",
    `the tenant would have more than ${TOKENS_PER_TENANT_MAX} tokens that are not expired; make such as expire sooner`,
  );
}

const INSERT = `
  INSERT INTO token (tenant, id, role, device, name, issued_at, issued_by, expires_at)
  SELECT ?1, value ->> 'id', value ->> 'role', value ->> 'device', value ->> 'name', value ->> 'issuedAt',
    value ->> 'issuedBy', value ->> 'expiresAt' FROM json_each(?2)
  WHERE (SELECT count(*) FROM token WHERE tenant = ?1) <= ?3`;

/**
 * Returns a page of the tenant's tokens, newest first; `next` is the `after` of the page after it, null at the end. Of one
 * device it reads the tenant's tokens until the page is full.
 */
export async function listTokens(
  control: D1Database,
  tenant: string,
  { device, after, limit }: { device?: string | undefined; after?: string | undefined; limit: number },
): Promise<TokenList> {
  const rows = await fromStorage(
    "D1",
    drizzle(control)
      .select()
      .from(tokenTable)
      .where(
        and(
          eq(tokenTable.tenant, tenant),
          device === undefined ? undefined : eq(tokenTable.device, device),
          after === undefined ? undefined : lt(tokenTable.id, after),
        ),
      )
      .orderBy(desc(tokenTable.id))
      .limit(limit + 1),
  );
  const tokens = rows.slice(0, limit).map(entryOf);
  return { tokens, next: rows.length > limit ? tokens.at(-1)!.id : null };
}

/** Returns the tokens of these ids that there are. Reads a row for each. */
export async function readTokens(
  control: D1Database,
  tenant: string,
  ids: readonly string[],
): Promise<TokenEntry[]> {
  const select = control
    .prepare(
      `SELECT id, role, device, name, issued_at AS issuedAt, issued_by AS issuedBy, expires_at AS expiresAt,
         revoked_at AS revokedAt FROM token WHERE tenant = ?1 AND id IN (SELECT value FROM json_each(?2))`,
    )
    .bind(tenant, JSON.stringify(ids));
  return (await fromStorage("D1", select.all<TokenEntry>())).results;
}

/**
 * Notes that tokens were revoked: those of these ids, or all that were issued up to an instant, of one device where it is
 * said. Costs a row for each that was not.
 */
export async function markRevoked(
  control: D1Database,
  tenant: string,
  which: { ids: readonly string[] } | { notBeforeMs: number; device?: string },
  nowMs: number,
): Promise<void> {
  const update = "UPDATE token SET revoked_at = ?2 WHERE tenant = ?1 AND revoked_at IS NULL";
  const marked =
    "ids" in which
      ? control
          .prepare(`${update} AND id IN (SELECT value FROM json_each(?3))`)
          .bind(tenant, nowMs, JSON.stringify(which.ids))
      : control
          .prepare(`${update} AND issued_at <= ?3 AND (?4 IS NULL OR device = ?4)`)
          .bind(tenant, nowMs, which.notBeforeMs, which.device ?? null);
  await fromStorage("D1", marked.run());
}

function entryOf({ tenant: _, role, ...row }: typeof tokenTable.$inferSelect): TokenEntry {
  return { ...row, role: role as TenantRole };
}
