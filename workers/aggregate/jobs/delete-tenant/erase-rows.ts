// Rows of a tenant in D1 → gone, of every table that has a column `tenant`.
import { getTableConfig, type SQLiteTable } from "drizzle-orm/sqlite-core";
import type { DeleteTenantSpec } from "../../../../schemas/job.ts";
import { CONTROL_TABLES, WARM_TABLES, WHOLE_TENANT } from "../../../../schemas/tables.ts";
import { fenceOf } from "../../../end-tenant.ts";
import { warmsOf } from "../../../warm.ts";
import type { AggregateEnv } from "../../env.ts";

/** Deleted in one transaction: a row of rollups has some kilobytes. */
const ROWS_AT_ONCE = 500;

/** What stays: by these rows what is still on its way is known to be of the old life. */
const STAYS = `device = '${WHOLE_TENANT}'`;
const KEPT: Readonly<Record<string, string>> = { tombstone: STAYS, alert_tombstone: STAYS };

/**
 * Tables in the order in which they are emptied. Marks go before what is computed from them: who computes an hour just now
 * finds its mark gone, and writes nothing.
 */
const FIRST = ["dirty_hour", "archive_day", "job", "rules_push"];

interface Emptied {
  name: string;
  key: string[];
  isWarm: boolean;
}

const TABLES: readonly Emptied[] = [...WARM_TABLES, ...CONTROL_TABLES]
  .map((table: SQLiteTable) => ({
    ...getTableConfig(table),
    isWarm: (WARM_TABLES as SQLiteTable[]).includes(table),
  }))
  .filter(({ name, columns }) => name !== "tenant" && columns.some((column) => column.name === "tenant"))
  .map(({ name, primaryKeys, isWarm }) => ({
    name,
    key: primaryKeys.flatMap((own) => own.columns.map((column) => column.name)),
    isWarm,
  }))
  .sort((a, b) => Number(FIRST.includes(b.name)) - Number(FIRST.includes(a.name)));

/** Only while the deletion runs: the next life has the same name. */
const RUNS = {
  control: "EXISTS (SELECT 1 FROM tenant WHERE tenant = ?1 AND status = 'ending' AND generation = ?2)",
  warm: `EXISTS (SELECT 1 FROM tombstone WHERE tenant = ?1 AND ${STAYS} AND generation = ?2)`,
};

/**
 * Deletes at most 500 rows of the tenant in the table of this number, of each warm database where it is one of theirs.
 * Returns how many, and the number of the table to go on with; null: all are empty.
 * @throws when D1 fails.
 */
export async function eraseRows(
  env: AggregateEnv,
  spec: DeleteTenantSpec,
  table: number,
): Promise<{ next: number | null; rows: number }> {
  const emptied = TABLES[table];
  if (emptied === undefined) return { next: null, rows: 0 };
  const { isWarm } = emptied;
  const databases = isWarm ? warmsOf(env) : [env.CONTROL];
  const sql = deleteFrom(emptied, isWarm ? RUNS.warm : RUNS.control);
  const fence = isWarm ? fenceOf(spec) : spec.generation;
  let rows = 0;
  for (const database of databases) {
    const { results } = await database.prepare(sql).bind(spec.tenant, fence).all();
    rows += results.length;
  }
  return { next: rows === 0 ? table + 1 : table, rows };
}

function deleteFrom({ name, key }: Emptied, runs: string): string {
  const kept = KEPT[name];
  const columns = key.join(", ");
  const some = `SELECT ${columns} FROM ${name} WHERE tenant = ?1${kept === undefined ? "" : ` AND NOT (${kept})`} LIMIT ${ROWS_AT_ONCE}`;
  const isOne = key.length === 1 ? columns : `(${columns})`;
  return `DELETE FROM ${name} WHERE tenant = ?1 AND ${isOne} IN (${some}) AND ${runs} RETURNING 1`;
}
