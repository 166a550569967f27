// A scope → what there is to choose from in it: devices, models, metrics; for forms that suggest what exists.
import { mostVoted, type Standing, VOTE } from "../../core/window/votes.ts";
import type { NamesAnswer, NamesQuery } from "../../schemas/query.ts";
import { askEach } from "../ask-each.ts";
import type { ApiEnv } from "./env.ts";
import { readFirstDevices } from "./registry.ts";

/** Devices looked at: a fleet has few models, and its first devices show most of them. */
const READ_MAX = 1_000;
/** More suggestions nobody reads; who types on gets those that begin with it. */
const LISTED_MAX = 200;
/** Devices of one scope report much the same. */
const ASKED_MAX = 10;
/** Somebody is typing. */
const ASKED = { atOnce: ASKED_MAX, deadlineMs: 2_000 };

/**
 * Returns the first devices that fit, and the metrics they report. Reads at most 1,001 rows of the registry and asks
 * ten devices, whatever the size of the fleet; a device of exactly the asked id is asked alone.
 * @throws Problem `unavailable`: D1 does not answer.
 */
export async function readNames(env: ApiEnv, tenant: string, query: NamesQuery): Promise<NamesAnswer> {
  const found = await readFirstDevices(env.CONTROL, tenant, query, READ_MAX + 1);
  const isOfModel = ({ model }: { model: string | null }) =>
    query.model === undefined || model === query.model;
  const devices = found.filter(isOfModel).slice(0, LISTED_MAX);
  const exact = devices.filter(({ device }) => device === query.device);
  const standings = new Map<string, Standing>();
  const missing = await askEach(
    (exact.length > 0 ? exact : devices.slice(0, ASKED_MAX)).map(({ device }) => device),
    ASKED,
    (device) => env.DEVICE.getByName(`${tenant}/${device}`).latest(),
    (latest) => {
      const own = Object.keys(latest?.metrics ?? {});
      for (const metric of own) {
        const { devices, votes } = standings.get(metric) ?? { devices: 0, votes: 0 };
        standings.set(metric, { devices: devices + 1, votes: votes + Math.round(VOTE / own.length) });
      }
    },
  );
  const metrics = mostVoted(standings).slice(0, LISTED_MAX);
  return {
    devices: devices.map(({ device, name }) => ({ device, name })),
    models: [...new Set(found.flatMap(({ model }) => model ?? []))].sort(),
    metrics: metrics.map(([metric]) => metric),
    metricsLeftOut: standings.size - metrics.length,
    partial: found.length > READ_MAX || devices.length > ASKED_MAX || missing.length > 0,
  };
}
