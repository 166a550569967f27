// All of a tenant as files: what was made, and what each file is.
import * as z from "zod";
import { jobStatus } from "./job.ts";

const count = z.number().int().nonnegative();
const instantMs = z.number().int();

/** `GET /v1/tenant/exports`: the newest first. `isThere`: it is done, and its files are kept until `expiresAt`. */
export const exportList = z.object({
  exports: z.array(
    z.object({
      id: z.string(),
      status: jobStatus,
      error: z.string().nullable(),
      createdAt: instantMs,
      finishedAt: instantMs.nullable(),
      expiresAt: instantMs,
      isThere: z.boolean(),
    }),
  ),
});
export type ExportList = z.infer<typeof exportList>;

/** A file of an export: rows of a table, as NDJSON and gzip. `sha256` is of the file as it is sent, in hex. */
export const exportFile = z.object({
  file: z.string(),
  table: z.string(),
  rows: count,
  bytes: count,
  sha256: z.string(),
});
export type ExportFile = z.infer<typeof exportFile>;

/**
 * PERSISTED in R2: `manifest.json` of an export, `GET /v1/tenant/exports/:export`. `tables`: how many rows each has. `settings`:
 * the file that has them. `archive`: what the readings lie in, which is not copied. `leftOut`: what is not in it, and why.
 */
export const exportManifest = z.object({
  version: z.literal(1),
  tenant: z.string(),
  export: z.string(),
  createdAt: instantMs,
  finishedAt: instantMs,
  expiresAt: instantMs,
  settings: z.string(),
  tables: z.record(z.string(), count),
  files: z.array(exportFile),
  archive: z.object({ list: z.string(), files: count, bytes: count, note: z.string() }),
  leftOut: z.record(z.string(), z.string()),
});
export type ExportManifest = z.infer<typeof exportManifest>;
