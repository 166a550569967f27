// The files of an export → a manifest that says what they are, and where the readings lie.
import { apiKeyEntry } from "../../../../schemas/api-key.ts";
import { type ExportFile, type ExportManifest, exportManifest } from "../../../../schemas/export.ts";
import { EXPORT_KEPT_MS } from "../../../../schemas/limits.ts";
import { tenantAnswer } from "../../../../schemas/tenant.ts";
import { wallMs } from "../../../clock.ts";
import { exportKey, MANIFEST } from "../../../exports.ts";
import { readAccess, readApiKeys, readIssuers, readSettings } from "../../../tenant.ts";
import { warmsOf } from "../../../warm.ts";
import type { AggregateEnv } from "../../env.ts";
import type { RunningJob } from "../step.ts";
import { EXPORTED, LEFT_OUT } from "./exported-tables.ts";
import type { PartMark } from "./write-part.ts";

type Job = Pick<RunningJob, "env" | "tenant" | "id" | "createdAt">;

const SETTINGS = "settings.json";
const JSON_TYPE = { httpMetadata: { contentType: "application/json" } };

const NOTE =
  "Readings and hours are Parquet files of yours already and are not copied: list them with GET, a page after another, and take each. A file that another replaced is kept for an hour, so list again until nothing is new; docs/archive-format.md says how. They may have more than there was at createdAt, and what retention or a deletion takes is gone.";

/** Not in D1, or not the tenant's to have. */
const ELSEWHERE = {
  "audit of more than 400 days ago": "lies in the bucket as Parquet, audit/tenant=…",
  secrets: "secrets of channels, tokens, API keys and provisioning keys, and what proves them",
  objects:
    "what objects have beside readings: latest values and alerts, which follow from what is here, and deliveries of channels",
};

/**
 * Writes the tenant's settings, its issuers, who of Access may do what, and its API keys without what proves them. Costs four calls
 * of the tenant's object, and a put.
 * @throws when the object or R2 fail.
 */
export async function writeSettings({ env, tenant, id }: Job): Promise<void> {
  const [settings, issuers, access, keys] = await Promise.all([
    readSettings(env.TENANT, tenant),
    readIssuers(env.TENANT, tenant),
    readAccess(env.TENANT, tenant),
    readApiKeys(env.TENANT, tenant),
  ]);
  const shown = {
    settings: tenantAnswer.parse({ ...settings, issuers, access: access.rules }),
    apiKeys: keys.map((key) => apiKeyEntry.parse(key)),
  };
  await env.COLD.put(exportKey(tenant, id, SETTINGS), JSON.stringify(shown), JSON_TYPE);
}

/**
 * Writes the manifest. Costs a listing in R2 for each thousand files, which are in memory together, some 200 bytes each, and reads
 * the rows of the archive's files once.
 * @throws when D1 or R2 fail.
 */
export async function writeManifest({ env, tenant, id, createdAt }: Job): Promise<void> {
  const files = await filesOf(env.COLD, exportKey(tenant, id));
  const tables = Object.fromEntries(EXPORTED.map(({ name }) => [name, 0]));
  for (const { table, rows } of files) tables[table] = (tables[table] ?? 0) + rows;
  const manifest: ExportManifest = {
    version: 1,
    tenant,
    export: id,
    createdAt,
    finishedAt: wallMs(),
    expiresAt: createdAt + EXPORT_KEPT_MS,
    settings: SETTINGS,
    tables,
    files,
    archive: { list: "/v1/archive?limit=1000", ...(await archiveOf(env, tenant)), note: NOTE },
    leftOut: { ...LEFT_OUT, ...ELSEWHERE },
  };
  await env.COLD.put(
    exportKey(tenant, id, MANIFEST),
    JSON.stringify(exportManifest.parse(manifest)),
    JSON_TYPE,
  );
}

async function filesOf(bucket: R2Bucket, prefix: string): Promise<ExportFile[]> {
  const files: ExportFile[] = [];
  for (let cursor: string | undefined; ; ) {
    const page: R2Objects = await bucket.list({ prefix, cursor, include: ["customMetadata"] });
    for (const { key, size, customMetadata } of page.objects) {
      const mark = customMetadata as unknown as Partial<PartMark> | undefined;
      if (mark?.rows === undefined) continue; // settings and manifest
      const { table, rows, sha256 } = mark as PartMark;
      files.push({ file: key.slice(prefix.length), table, rows: Number(rows), bytes: size, sha256 });
    }
    if (!page.truncated) return files;
    cursor = page.cursor;
  }
}

async function archiveOf(env: AggregateEnv, tenant: string): Promise<{ files: number; bytes: number }> {
  const sums = await Promise.all(
    warmsOf(env).map((database) =>
      database.prepare(SUM_FILES).bind(tenant).first<{ files: number; bytes: number }>(),
    ),
  );
  return sums.reduce<{ files: number; bytes: number }>(
    (all, own) => ({ files: all.files + own!.files, bytes: all.bytes + own!.bytes }),
    { files: 0, bytes: 0 },
  );
}

const SUM_FILES = `
  SELECT count(*) AS files, coalesce(sum(bytes), 0) AS bytes FROM archive_file
  WHERE tenant = ?1 AND replaced_at IS NULL`;
