// The manifest and the files it names, fetched like a user would → their readings, by DuckDB and the documented recipe.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import type * as z from "zod";
import type { archiveAnswer } from "../../schemas/query.ts";
import type { Operator } from "./operator.ts";

type ArchiveAnswer = z.infer<typeof archiveAnswer>;
type ArchiveFile = ArchiveAnswer["files"][number];

export interface ArchivedReading {
  device: string;
  metric: string;
  at: number;
  value: number;
}

const FETCHED_AT_ONCE = 6;

/** The manifest, whole. */
export async function listFiles(operator: Operator): Promise<ArchiveFile[]> {
  const files: ArchiveFile[] = [];
  for (let after: string | null = ""; after !== null; ) {
    const page: ArchiveAnswer = await operator.getJson(
      "/v1/archive",
      after === "" ? { limit: 1_000 } : { limit: 1_000, after },
    );
    files.push(...page.files);
    after = page.next;
  }
  return files;
}

/** The files of raw readings. */
export const listRawFiles = async (operator: Operator) =>
  (await listFiles(operator)).filter(({ kind }) => kind === "raw");

/** Gives every reading of `files` once, by device, metric and `at`. The files are held on disk meanwhile. */
export async function readArchive(
  operator: Operator,
  files: readonly ArchiveFile[],
  onReading: (reading: ArchivedReading) => void,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "telltale-verify-"));
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  try {
    const waiting = [...files.entries()];
    const lane = async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        const [index, { key }] = next;
        await writeFile(join(folder, `${index}.parquet`), await operator.getBytes(`/v1/archive/${key}`));
      }
    };
    await Promise.all(Array.from({ length: FETCHED_AT_ONCE }, lane));
    const result = await connection.stream(
      `SELECT device, metric, epoch_ms("at")::DOUBLE, value FROM read_parquet('${folder}/*.parquet')
       QUALIFY row_number() OVER (PARTITION BY device, metric, "at" ORDER BY revision DESC) = 1
       ORDER BY device, metric, "at"`,
    );
    for (;;) {
      const chunk = await result.fetchChunk();
      if (chunk === null || chunk.rowCount === 0) break;
      const [device, metric, at, value] = chunk.getColumns() as [string[], string[], number[], number[]];
      for (let row = 0; row < chunk.rowCount; row++)
        onReading({ device: device[row]!, metric: metric[row]!, at: at[row]!, value: value[row]! });
    }
  } finally {
    connection.closeSync();
    instance.closeSync();
    await rm(folder, { recursive: true });
  }
}
