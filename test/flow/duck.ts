// Parquet files as DuckDB reads them: the judge of the archive that shares no code with its writer.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBInstance, type DuckDBValue } from "@duckdb/node-api";

/** Rows of `sql`, in which `files` stands for the table of all the files together. */
export async function askDuckDb(files: readonly Uint8Array[], sql: string): Promise<DuckDBValue[][]> {
  const folder = await mkdtemp(join(tmpdir(), "telltale-duck-"));
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  try {
    const paths = files.map((_, index) => join(folder, `${index}.parquet`));
    await Promise.all(paths.map((path, index) => writeFile(path, files[index]!)));
    const table = `read_parquet([${paths.map((path) => `'${path}'`).join()}])`;
    return (await connection.runAndReadAll(sql.replace("files", table))).getRows();
  } finally {
    connection.closeSync();
    instance.closeSync();
    await rm(folder, { recursive: true });
  }
}
