// Rows of a table from some key on → a file of NDJSON in R2, which says where the next one goes on.
import { hexOf } from "../../../../core/token/api-key.ts";
import { exportKey } from "../../../exports.ts";
import { warmsOf } from "../../../warm.ts";
import type { AggregateEnv } from "../../env.ts";
import { type ExportedTable, shownRow } from "./exported-tables.ts";

/** Most rows of a file, and most bytes of columns: one row may have two megabytes more. */
const ROWS_MAX = 2_000;
const BYTES_MAX = 4_000_000;

/** The primary key of a row, but for the tenant. */
export type Key = (string | number)[];

/** Which file of an export. */
export interface Part {
  tenant: string;
  id: string;
  /** When the export was asked for, epoch ms. */
  createdAt: number;
  table: ExportedTable;
  /** The number of the database. */
  database: number;
  part: number;
  /** The key of the last row before it; null: it is the first. */
  after: Key | null;
}

/** PERSISTED in R2 with a file of rows. */
export interface PartMark {
  table: string;
  rows: string;
  sha256: string;
  /** The key of its last row, as JSON. */
  after: string;
}

/**
 * Writes the next file of a table's rows, at most 2,000 or four megabytes, unless it is there: the first one stands, and says where
 * the next begins, so that a runner that was taken for dead changes nothing. Returns the mark of the file that stands, and its size;
 * undefined: no row is left. Costs a look and a put in R2, and reads the rows.
 * @throws when D1 or R2 fail.
 */
export async function writePart(
  env: AggregateEnv,
  part: Part,
): Promise<{ mark: PartMark; bytes: number } | undefined> {
  const key = exportKey(part.tenant, part.id, fileOf(part));
  const there = (await env.COLD.head(key)) ?? (await write(env, part, key));
  if (there === null) return undefined;
  return { mark: there.customMetadata as unknown as PartMark, bytes: there.size };
}

/** `rollup-0-00002.ndjson.gz`: the table, of which warm database, and the number of the file. */
const fileOf = ({ table, database, part }: Part) =>
  [table.name, ...(table.isWarm ? [database] : []), `${String(part).padStart(5, "0")}.ndjson.gz`].join("-");

async function write(env: AggregateEnv, part: Part, key: string): Promise<R2Object | null> {
  const { table, tenant, after, createdAt } = part;
  const database = table.isWarm ? warmsOf(env)[part.database]! : env.CONTROL;
  const { results } = await database
    .prepare(selectRows(table, after))
    .bind(tenant, createdAt, ...(after ?? []))
    .all<Record<string, unknown>>();
  const last = results.at(-1);
  if (last === undefined) return null;
  const lines = results.map((row) => `${JSON.stringify(shownRow(table, row))}\n`).join("");
  const bytes = await gzip(lines);
  const mark: PartMark = {
    table: table.name,
    rows: String(results.length),
    sha256: await sha256Of(bytes),
    after: JSON.stringify(table.key.map((column) => last[column])),
  };
  const put = await env.COLD.put(key, bytes, {
    onlyIf: { etagDoesNotMatch: "*" },
    httpMetadata: { contentType: "application/gzip" },
    customMetadata: { ...mark },
  });
  return put ?? (await env.COLD.head(key)); // another runner was first
}

/** A file that was replaced while the export ran is in the list beside the one that replaced it: readers take each row once. */
const WHERE: Readonly<Record<string, string>> = {
  archive_file: "(replaced_at IS NULL OR replaced_at >= ?2)",
};

function selectRows({ name, key, columns }: ExportedTable, after: Key | null): string {
  const quoted = (names: readonly string[]) => names.map((column) => `"${column}"`).join(", ");
  const where = ["tenant = ?1", WHERE[name] ?? "?2 = ?2"];
  if (after !== null)
    where.push(
      key.length === 0 ? "false" : `(${quoted(key)}) > (${after.map((_, i) => `?${i + 3}`).join(", ")})`,
    );
  const order = key.length === 0 ? "1" : quoted(key);
  const shown = quoted(columns.map(({ column }) => column));
  const own = columns.map(({ column }) => `coalesce(octet_length("${column}"), 0)`).join(" + ");
  return `
    SELECT * FROM (
      SELECT *, sum(${own}) OVER (ORDER BY ${order} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS "#before"
      FROM (SELECT ${shown} FROM ${name} WHERE ${where.join(" AND ")} ORDER BY ${order} LIMIT ${ROWS_MAX})
    ) WHERE coalesce("#before", 0) < ${BYTES_MAX} ORDER BY ${order}`;
}

async function gzip(text: string): Promise<ArrayBuffer> {
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
  return await new Response(stream).arrayBuffer();
}

async function sha256Of(bytes: ArrayBuffer): Promise<string> {
  return hexOf(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
}
