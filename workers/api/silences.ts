// Silences in D1; when one changes, the zones judge again what they hold back.
import { type Silence, silence as silenceSchema } from "../../schemas/channel.ts";
import { SILENCES_PER_TENANT_MAX } from "../../schemas/limits.ts";
import { askEach } from "../ask-each.ts";
import { Problem } from "../problem.ts";
import type { ApiEnv } from "./env.ts";
import { readZones } from "./registry.ts";
import { fromStorage } from "./storage.ts";

/** How long an ended one is kept. */
const ENDED_KEPT_MS = 30 * 86_400_000;

/** Returns all silences of the tenant, newest first. @throws Problem `unavailable`. */
export async function listSilences(control: D1Database, tenant: string): Promise<Silence[]> {
  const select = control.prepare("SELECT body FROM silence WHERE tenant = ?1 ORDER BY id DESC").bind(tenant);
  const { results } = await fromStorage("D1", select.all<{ body: string }>());
  return results.map(({ body }) => silenceSchema.parse(JSON.parse(body)));
}

/** Returns a silence. @throws Problem `silence_not_found`. */
export async function readSilence(control: D1Database, tenant: string, id: string): Promise<Silence> {
  const found = (await listSilences(control, tenant)).find((silence) => silence.id === id);
  if (found !== undefined) return found;
  throw new Problem("silence_not_found", `no silence ${id}; GET /v1/silences lists them`);
}

/**
 * Adds a silence, and deletes those that ended more than 30 days ago.
 * @throws Problem `conflict`: there are too many.
 */
export async function insertSilence(
  control: D1Database,
  tenant: string,
  silence: Silence,
  nowMs: number,
): Promise<void> {
  const [, inserted] = await fromStorage(
    "D1",
    control.batch([
      control.prepare(DELETE_OLD).bind(tenant, nowMs - ENDED_KEPT_MS),
      control.prepare(INSERT).bind(tenant, silence.id, JSON.stringify(silence)),
    ]),
  );
  if (inserted!.meta.changes > 0) return;
  const most = `the tenant has as many silences as it may, ${SILENCES_PER_TENANT_MAX}`;
  throw new Problem(
    "conflict",
    `${most}; one that ends is kept for 30 days more: silence more with one, by zone, model or rule`,
  );
}

/** Replaces a silence; one that is gone stays gone. @throws Problem `unavailable`. */
export async function updateSilence(control: D1Database, tenant: string, silence: Silence): Promise<void> {
  const update = control.prepare("UPDATE silence SET body = ?3 WHERE tenant = ?1 AND id = ?2");
  await fromStorage("D1", update.bind(tenant, silence.id, JSON.stringify(silence)).run());
}

const DELETE_OLD = "DELETE FROM silence WHERE tenant = ?1 AND body ->> 'endsAt' < ?2";
const INSERT = `
  INSERT INTO silence (tenant, id, body) SELECT ?1, ?2, ?3
  WHERE (SELECT count(*) FROM silence WHERE tenant = ?1) < ${SILENCES_PER_TENANT_MAX} ON CONFLICT DO NOTHING`;

const ASKED = { atOnce: 50, deadlineMs: 25_000 };

/**
 * Has every zone of the tenant send what is held back again. One that does not answer does so by itself, within
 * `HELD_MS_MAX`.
 */
export async function releaseZones(env: ApiEnv, tenant: string): Promise<void> {
  const zones = (await readZones(env.CONTROL, tenant)).map(({ zone }) => zone);
  const release = (zone: string) => env.ZONE.getByName(`${tenant}/${zone}`).release();
  const missing = await askEach(zones, ASKED, release, () => undefined);
  if (missing.length > 0) console.warn("zones were not told that silences changed", { tenant, missing });
}
