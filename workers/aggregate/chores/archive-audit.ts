// Changes people made long ago → Parquet in the archive, and gone from D1.
import { parquetWriteBuffer } from "hyparquet-writer";
import { dateOf } from "../../../core/archive/key.ts";
import { DAY_MS } from "../../../core/time.ts";
import { wallMs } from "../../clock.ts";
import { withDeadline } from "../../with-deadline.ts";
import type { Turn } from "./chores.ts";

/** How long what people changed is kept in D1. */
export const AUDIT_KEPT_MS = 400 * DAY_MS;
/** Entries of one file: of at most 32 KB each. */
const AT_ONCE = 200;
const STORAGE_ANSWERS_MS = 60_000;

interface Row {
  tenant: string;
  id: string;
  at: number;
  [column: string]: string | number | null;
}

const COLUMNS = ["id", "who", "role", "address", "action", "target", "before", "after"];

/**
 * Moves entries past their age to the archive, at most 200 of a tenant and day a file, in one pass over the tenants.
 * Returns the tenant last seen to; "" at the end. A file is named by its first entry, and its entries are deleted when
 * it is there: a step that is repeated writes the same file again. Costs a put and a row deleted for each entry.
 * @throws when D1 or R2 fail or do not answer.
 */
export async function archiveAudit({ env, cursor, untilMs }: Turn): Promise<string> {
  const beforeMs = wallMs() - AUDIT_KEPT_MS;
  const ask = <T>(call: Promise<T>) => withDeadline(STORAGE_ANSWERS_MS, "storage", call);
  for (let tenant = cursor; ; ) {
    const found = await ask(env.CONTROL.prepare(NEXT_TENANT).bind(tenant).first<string>("tenant"));
    if (found === null) return "";
    for (;;) {
      if (wallMs() >= untilMs) return tenant;
      const oldest = env.CONTROL.prepare(SELECT_OLDEST).bind(found, beforeMs, AT_ONCE);
      const { results } = await ask(oldest.all<Row>());
      if (results.length === 0) break;
      const date = dateOf(results[0]!.at);
      const rows = results.filter(({ at }) => dateOf(at) === date);
      const key = `audit/tenant=${found}/date=${date}/${rows[0]!.id}.parquet`;
      await ask(env.COLD.put(key, fileOf(rows)));
      const ids = JSON.stringify(rows.map(({ id }) => id));
      await ask(env.CONTROL.prepare(DELETE).bind(found, ids).run());
    }
    tenant = found;
  }
}

const fileOf = (rows: readonly Row[]): ArrayBuffer =>
  parquetWriteBuffer({
    columnData: [
      { name: "at", data: rows.map(({ at }) => new Date(at)), type: "TIMESTAMP" },
      ...COLUMNS.map((name) => ({
        name,
        data: rows.map((row) => row[name] ?? null),
        type: "STRING" as const,
        nullable: true,
      })),
    ],
  });

const NEXT_TENANT = "SELECT min(tenant) AS tenant FROM audit WHERE tenant > ?1";
const SELECT_OLDEST = "SELECT * FROM audit WHERE tenant = ?1 AND at < ?2 ORDER BY id LIMIT ?3";
const DELETE = "DELETE FROM audit WHERE tenant = ?1 AND id IN (SELECT value FROM json_each(?2))";
