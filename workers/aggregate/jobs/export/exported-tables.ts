// The tables of D1 → which of a tenant's rows an export has, and how it shows them.
import { getTableColumns } from "drizzle-orm";
import { getTableConfig, type SQLiteTable } from "drizzle-orm/sqlite-core";
import { maskSecrets } from "../../../../core/alert/deliver/mask-secrets.ts";
import type { Channel } from "../../../../schemas/channel.ts";
import { jobProgress } from "../../../../schemas/job.ts";
import { CONTROL_TABLES, WARM_TABLES } from "../../../../schemas/tables.ts";

/** A table that an export has: every one with a column `tenant`, but for those that `LEFT_OUT` names. */
export interface ExportedTable {
  name: string;
  isWarm: boolean;
  /** Its primary key without the tenant; empty: the tenant has one row. */
  key: string[];
  /** Columns of D1 and the names that rows have them by, as in the API. */
  columns: { column: string; name: string }[];
}

/** Tables that are about work of ours, not about the tenant. */
export const LEFT_OUT: Readonly<Record<string, string>> = {
  dirty_hour: "marks of hours that are to be computed",
  archive_day: "marks of days that are to be exported to the archive",
  import_reached: "how far imports that run are",
  rules_push: "changes of rules that devices are yet to be told",
  tombstone: "which lives of deleted devices storage refuses",
  alert_tombstone: "which lives of deleted devices alerts are refused of",
};

/** By table the columns that no export shows: what proves a secret, and what only storage needs. */
const HIDDEN: Readonly<Record<string, readonly string[]>> = {
  device: ["claim_hash"],
  provisioning_key: ["hash"],
  archive_file: ["blocks"],
};

/** Columns that are JSON, in whichever table. */
const JSON_COLUMNS = ["limits", "spec", "progress", "body", "before", "after", "summaries", "metrics"];

/** The files of the archive come last: the list is as new as it can be. */
const LAST = "archive_file";

/** Every table that an export has, in the order in which it takes them. */
export const EXPORTED: readonly ExportedTable[] = [...CONTROL_TABLES, ...WARM_TABLES]
  .map((table: SQLiteTable): ExportedTable => {
    const { name, primaryKeys } = getTableConfig(table);
    const hidden = HIDDEN[name] ?? [];
    return {
      name,
      isWarm: (WARM_TABLES as SQLiteTable[]).includes(table),
      key: primaryKeys.flatMap((own) => own.columns.map((column) => column.name)).filter(isNoTenant),
      columns: Object.entries(getTableColumns(table))
        .map(([as, { name: column }]) => ({ column, name: as }))
        .filter(({ column }) => !hidden.includes(column)),
    };
  })
  .filter(({ name, columns }) => columns.some(({ column }) => column === "tenant") && !(name in LEFT_OUT))
  .map((table) => ({ ...table, columns: table.columns.filter(({ column }) => isNoTenant(column)) }))
  .sort((a, b) => Number(a.name === LAST) - Number(b.name === LAST));

function isNoTenant(column: string): boolean {
  return column !== "tenant";
}

type Row = Record<string, unknown>;

/** Returns a row as an export shows it: JSON as what it says, and no secret of a channel. */
export function shownRow({ name: table, columns }: ExportedTable, row: Row): Row {
  const shown: Row = {};
  for (const { column, name } of columns) {
    const value = row[column];
    shown[name] =
      JSON_COLUMNS.includes(column) && typeof value === "string" ? (JSON.parse(value) as unknown) : value;
  }
  if (table === "channel") {
    const body = shown.body as Channel;
    return { ...shown, body: { ...body, target: maskSecrets(body.target, "admin") } };
  }
  if (table === "job") return { ...shown, progress: jobProgress.parse(shown.progress) };
  return shown;
}
