// Changes people made long ago → Parquet in the archive, and gone from D1.
import { parquetWriteBuffer } from "hyparquet-writer";
import { dateOf } from "../../../core/archive/key.ts";
import { DAY_MS } from "../../../core/time.ts";
import { wallMs } from "../../clock.ts";
import { withDeadline } from "../../with-deadline.ts";
import type { AggregateEnv } from "../env.ts";
import type { Turn } from "./chores.ts";
import { firstTenant, goRound } from "./go-round.ts";

/** How long what people changed is kept in D1. */
export const AUDIT_KEPT_MS = 400 * DAY_MS;
/** Entries of one file: of at most 32 KB each. */
const AT_ONCE = 200;
const STORAGE_ANSWERS_MS = 60_000;
const SHARE_MS = 10_000;

interface Row {
  tenant: string;
  id: string;
  at: number;
  [column: string]: string | number | null;
}

const COLUMNS = ["id", "who", "role", "address", "action", "target", "before", "after"];

/**
 * Moves entries past their age to the archive, at most 200 of a tenant and day a file, of one tenant after another.
 * Returns the cursor; "" when all are seen to. A file is named by its first entry, and its entries are deleted when
 * it is there: a step that is repeated writes the same file again. Costs a put and a row deleted for each entry.
 * @throws when D1 does not say who is next.
 */
export function archiveAudit(turn: Turn): Promise<string> {
  const beforeMs = wallMs() - AUDIT_KEPT_MS;
  return goRound<true>(turn, {
    name: "archive-audit",
    shareMs: SHARE_MS,
    next: (after) => firstTenant([turn.env.CONTROL], NEXT_TENANT, after),
    advance: async (tenant, _place, untilMs) => {
      for (;;) {
        if (wallMs() >= untilMs) return true;
        if (!(await archiveSome(turn.env, tenant, beforeMs))) return undefined;
      }
    },
  });
}

/** False when the tenant has none that is past its age. */
async function archiveSome(
  { CONTROL, COLD }: AggregateEnv,
  tenant: string,
  beforeMs: number,
): Promise<boolean> {
  const ask = <T>(call: Promise<T>) => withDeadline(STORAGE_ANSWERS_MS, "storage", call);
  const oldest = CONTROL.prepare(SELECT_OLDEST).bind(tenant, beforeMs, AT_ONCE);
  const { results } = await ask(oldest.all<Row>());
  if (results.length === 0) return false;
  const date = dateOf(results[0]!.at);
  const rows = results.filter(({ at }) => dateOf(at) === date);
  const key = `audit/tenant=${tenant}/date=${date}/${rows[0]!.id}.parquet`;
  await ask(COLD.put(key, fileOf(rows)));
  const ids = JSON.stringify(rows.map(({ id }) => id));
  await ask(CONTROL.prepare(DELETE).bind(tenant, ids).run());
  return true;
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
