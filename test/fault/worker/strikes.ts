// The order the harness gave → whether a fault strikes here and now; counts those that did.
import { chance } from "../chance.ts";
import type { AlertFault, FaultCounts, FaultOrder, WorkerFault } from "../faults.ts";

/** The Worker and all objects of a local run share this isolate, and so this. */
let order: FaultOrder = { seed: 0, rates: {} };
let chances = new Map<string, number>();
let counts: FaultCounts = {};

export function obey(next: FaultOrder): void {
  order = next;
  chances = new Map();
}

/** True: let it happen. The n-th chance at a place strikes, or does not, by the seed alone. */
export function strikes(fault: WorkerFault | AlertFault, place: string): boolean {
  const rate = order.rates[fault];
  if (rate === undefined || roll(`${fault}/${place}`) >= rate) return false;
  counts[fault] = (counts[fault] ?? 0) + 1;
  return true;
}

/** How long something takes that takes at most `mostMs`. */
export const someMs = (mostMs: number, place: string) => Math.floor(roll(`ms/${place}`) * mostMs);

/** Heads or tails. */
export const coin = (place: string) => roll(`coin/${place}`) < 0.5;

function roll(site: string): number {
  const n = chances.get(site) ?? 0;
  chances.set(site, n + 1);
  return chance(order.seed, site, n);
}

/** What struck since it was last asked. */
export function takeCounts(): FaultCounts {
  const taken = counts;
  counts = {};
  return taken;
}

export class InjectedFault extends Error {
  override name = "InjectedFault";
}
