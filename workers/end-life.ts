// A device that is to be deleted → its life is over: storage refuses it, and its object has begun the next one.
import type { DeleteSpec } from "../schemas/job.ts";
import type { DeviceRpc } from "../schemas/message.ts";
import { type WarmEnv, warmOf } from "./warm.ts";

/** What the end of a life needs. */
export type LivesEnv = WarmEnv & {
  DEVICE: DurableObjectNamespace<DeviceRpc & Rpc.DurableObjectBranded>;
};

/** Returns the generation of the last life that a deletion ends; the next life has the number after it. */
export const lastLifeOf = ({ generation }: DeleteSpec) => generation + 1;

/**
 * Ends the lives of a device up to the deletion's: from here on whatever is taken of the device is its next life,
 * which the deletion leaves alone. Repeated, it changes nothing. Costs a row of D1, one of the registry and a call of
 * the object, which writes one row and deletes its others.
 * @throws when D1, the object or its zone are away: whether the life is over is not known, and the call may be
 * repeated.
 */
export async function endLife(env: LivesEnv, tenant: string, spec: DeleteSpec): Promise<void> {
  const { device, generation } = spec;
  // First: what a next life sends finds that it has to wait.
  await warmOf(env, tenant, device).prepare(SET_TOMBSTONE).bind(tenant, device, generation).run();
  await env.DEVICE.getByName(`${tenant}/${device}`).forget(lastLifeOf(spec));
}

const SET_TOMBSTONE = `
  INSERT INTO tombstone (tenant, device, generation, listing) VALUES (?1, ?2, ?3, 1) ON CONFLICT (tenant, device)
  DO UPDATE SET generation = excluded.generation, finished_at = NULL, listing = 1
  WHERE excluded.generation > generation`;
