// Every device of the registry → its object is looked after each six hours or sooner, for an alarm may be lost.
import { wallMs } from "../../clock.ts";
import { warmsOf } from "../../warm.ts";
import type { Turn } from "./chores.ts";

/**
 * Between two rounds, and the length of a round: each object comes up every three to six hours. A sweep is one request of
 * an object ($0.15 a million) that reads some rows ($0.001 a million) and keeps 128 MB for some 10 ms ($12.50 a million
 * GB-s): $0.17 a million, 120 to 240 a device-month, $0.00002 to $0.00004.
 */
export const SWEEP_EVERY_MS = 3 * 3_600_000;
const TICKS_A_ROUND = SWEEP_EVERY_MS / 60_000;

const SWEPT_AT_ONCE = 50;
const PAGE_MIN = 50;
/** A Worker may make 10,000 calls (Workers limits, 2026-11). A fleet of more than 900,000 has longer rounds. */
const PAGE_MAX = 5_000;

/**
 * Sweeps the objects of a page of the registry, so large that a round is done in time; with CHORES "always" every
 * tick is a whole round. Returns the cursor, `page/tenant/device`; "" at the end. An object that fails is logged and
 * swept in the next round.
 * @throws when D1 fails.
 */
export async function sweepObjects({ env, cursor, untilMs }: Turn): Promise<string> {
  const [known, ...last] = cursor.split("/");
  const page = Number(known) || (await pageSize(env.CONTROL));
  for (let [tenant = "", device = ""] = last; ; ) {
    const { results: devices } = await env.CONTROL.prepare(SELECT_PAGE)
      .bind(tenant, device, page)
      .all<{ tenant: string; device: string }>();
    for (let i = 0; i < devices.length; i += SWEPT_AT_ONCE) {
      const some = devices.slice(i, i + SWEPT_AT_ONCE);
      const expired = await Promise.all(
        some.map(({ tenant, device }) => sweep(env.DEVICE, `${tenant}/${device}`)),
      );
      await countExpired(
        warmsOf(env)[0]!,
        some.map(({ tenant }, i) => ({ tenant, blocks: expired[i]! })),
      );
      ({ tenant, device } = some.at(-1)!);
      if (wallMs() >= untilMs) return `${page}/${tenant}/${device}`;
    }
    if (devices.length < page) return "";
    if (env.CHORES !== "always") return `${page}/${tenant}/${device}`;
  }
}

/** Counting reads every row of the registry: once a round. */
async function pageSize(control: D1Database): Promise<number> {
  const count = await control.prepare("SELECT count(*) AS count FROM device").first<number>("count");
  return Math.min(PAGE_MAX, Math.max(PAGE_MIN, Math.ceil(count! / TICKS_A_ROUND)));
}

const SELECT_PAGE =
  "SELECT tenant, device FROM device WHERE (tenant, device) > (?1, ?2) ORDER BY tenant, device LIMIT ?3";

/** Sweeps one object. Returns how many blocks past their retention it dropped; 0 when it failed, which is logged. */
async function sweep(objects: Turn["env"]["DEVICE"], name: string): Promise<number> {
  try {
    return (await objects.getByName(name).sweep()).expired;
  } catch (error) {
    console.error("object not swept; it is in the next round", { name, error: String(error) });
    return 0;
  }
}

/** Adds to what retention has deleted so far; of no device in particular, so the first warm database keeps it. */
async function countExpired(
  database: D1Database,
  counted: readonly { tenant: string; blocks: number }[],
): Promise<void> {
  for (const [tenant, own] of Map.groupBy(counted, ({ tenant }) => tenant)) {
    const blocks = own.reduce((sum, each) => sum + each.blocks, 0);
    if (blocks > 0) await database.prepare(COUNT_EXPIRED).bind(tenant, blocks).run();
  }
}

const COUNT_EXPIRED = `
  INSERT INTO retained (tenant, hourly_from_ms, rollups_deleted, files_deleted, bytes_deleted, raw_blocks_deleted)
  VALUES (?1, 0, 0, 0, 0, ?2)
  ON CONFLICT (tenant) DO UPDATE SET raw_blocks_deleted = raw_blocks_deleted + ?2`;
