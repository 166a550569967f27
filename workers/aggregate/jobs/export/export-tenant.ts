// An export → what devices' objects have in storage, the rows of D1 in files, and then a manifest and a job that says so.
import { EXPORT_KEPT_MS } from "../../../../schemas/limits.ts";
import { wallMs } from "../../../clock.ts";
import { deletedBeside, deletePage, exportKey } from "../../../exports.ts";
import { warmsOf } from "../../../warm.ts";
import type { RunningJob, Step } from "../step.ts";
import { EXPORTED } from "./exported-tables.ts";
import { namesOf, sealDevices, unstoredDevices } from "./seal-devices.ts";
import { writeManifest, writeSettings } from "./write-manifest.ts";
import { type Key, writePart } from "./write-part.ts";

/** PERSISTED as the job's cursor. */
type Cursor =
  | { at: "begin" | "settings" | "manifest" }
  /** Devices up to `after` by name are done. */
  | { at: "seal" | "stored"; after: string }
  | { at: "tables"; table: string; database: number; part: number; after: Key | null }
  /** What it wrote is deleted, and why. */
  | { at: "discard"; reason: string };

/**
 * Does one step of an export; one that was broken off may be done again. A step costs a call of at most 200 devices, or writes a file
 * of at most 2,000 rows or four megabytes, or deletes at most 1,000 files; the last lists the files.
 * @throws when D1, R2 or an object fails: the step is tried again.
 */
export async function exportTenant(job: RunningJob): Promise<Step> {
  const cursor = (job.cursor ?? { at: "begin" }) as Cursor;
  switch (cursor.at) {
    case "begin":
      return await begin(job);
    case "seal": {
      const { devices, last } = await sealDevices(job, cursor.after);
      if (last === null) return go({ at: "stored", after: "" }, { done: 0 });
      return go({ at: "seal", after: last }, { done: job.progress.done + devices });
    }
    case "stored": {
      const { devices, last, unstored } = await unstoredDevices(job, cursor.after);
      if (last === null) return go({ at: "settings" });
      if (unstored.length > 0) {
        const error = `storage has yet to take what ${namesOf(unstored)} sent`;
        return go(cursor, { outcome: "wait", error });
      }
      return go({ at: "stored", after: last }, { done: job.progress.done + devices });
    }
    case "settings":
      await writeSettings(job);
      return go(tableAt(0), { done: 0, total: EXPORTED.length });
    case "tables":
      return await writeNext(job, cursor);
    case "manifest":
      return await finish(job);
    case "discard":
      if ((await deletePage(job.env.COLD, exportKey(job.tenant, job.id))) > 0) return go(cursor);
      return go(cursor, { outcome: "stopped", error: cursor.reason });
  }
}

const go = (cursor: Cursor, step: Partial<Step> = {}): Step => ({
  phase: cursor.at,
  cursor,
  outcome: "more",
  ...step,
});

async function begin({ env, tenant }: RunningJob): Promise<Step> {
  const total = await env.CONTROL.prepare("SELECT count(*) AS count FROM device WHERE tenant = ?1")
    .bind(tenant)
    .first<number>("count");
  return go({ at: "seal", after: "" }, { total });
}

/** The table at this place of the order; after the last the manifest. */
function tableAt(index: number): Cursor {
  const table = EXPORTED[index];
  if (table === undefined) return { at: "manifest" };
  return { at: "tables", table: table.name, database: 0, part: 0, after: null };
}

async function writeNext(job: RunningJob, cursor: Extract<Cursor, { at: "tables" }>): Promise<Step> {
  const { env, tenant, id, createdAt } = job;
  const { database, part, after } = cursor;
  const index = EXPORTED.findIndex(({ name }) => name === cursor.table);
  const table = EXPORTED[index]!;
  const written = await writePart(env, { tenant, id, createdAt, table, database, part, after });
  if (written !== undefined) {
    const { mark, bytes } = written;
    const next: Cursor = { ...cursor, part: part + 1, after: JSON.parse(mark.after) as Key };
    return go(next, { counts: { rows: Number(mark.rows), files: 1, bytes } });
  }
  if (table.isWarm && database + 1 < warmsOf(env).length)
    return go({ ...cursor, database: database + 1, part: 0, after: null });
  return go(tableAt(index + 1), { done: index + 1 });
}

/** A device that was deleted meanwhile may be in some files. */
async function finish(job: RunningJob): Promise<Step> {
  const { env, tenant, createdAt } = job;
  const deleted = await deletedBeside(env.CONTROL, tenant, createdAt);
  if (deleted !== undefined)
    return go({ at: "discard", reason: `device ${deleted} was deleted meanwhile; make another export` });
  if (wallMs() > createdAt + EXPORT_KEPT_MS)
    return go({ at: "discard", reason: "it took longer than the seven days for which it is kept" });
  await writeManifest(job);
  return { phase: "done", outcome: "done" };
}
