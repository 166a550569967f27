// Devices that may send nothing for a moment, as their objects said → what they send meanwhile is refused here, unasked.
import { drawFrom, type Refusal, refuseTooFast } from "../../core/device/allowance.ts";
import { countReports } from "../../core/report/pack.ts";
import type { PackedReports, RefusedUnasked, SpentAllowance } from "../../schemas/message.ts";

/** Devices remembered, some 4 MB of them at most; of more the one that was heard of first is forgotten. */
const DEVICES_MAX = 10_000;
/** For how long what an object said is taken to be so: so long a limit that is raised, or a revocation, is not heard of. */
const KNOWN_MS = 500;

interface Spent {
  rate: Pick<SpentAllowance, "perSecond" | "burst">;
  /** At most this the device may send: what other isolates took meanwhile is not known. */
  allowance: { reports: number; atMs: number };
  /** How long the object took to answer: by so much it may be behind what is known here. */
  lagMs: number;
  heardAtMs: number;
  unasked: RefusedUnasked;
}

/** What one isolate knows, all times by the wall clock, of devices that have sent all they may. */
export class SpentDevices {
  /** By `tenant/device`, in the order they were heard of. */
  readonly #devices = new Map<string, Spent>();

  /**
   * Returns why reports of a device are refused without asking its object, and counts them for it; undefined: it has to be
   * asked, and what it may take of them is taken from what is known here, so that of requests at once the first asks.
   */
  refuse(tenant: string, device: string, reports: PackedReports, nowMs: number): Refusal | undefined {
    const spent = this.#devices.get(`${tenant}/${device}`);
    if (spent === undefined || nowMs < spent.heardAtMs || nowMs >= spent.heardAtMs + KNOWN_MS)
      return undefined;
    const wanted = countReports(reports);
    const { granted, left, retryAfterMs } = drawFrom(spent.allowance, spent.rate, wanted, nowMs);
    if (granted > 0) {
      spent.allowance = left;
      return undefined;
    }
    const { refusal } = refuseTooFast(device, reports, 0, spent.rate, retryAfterMs + spent.lagMs);
    spent.unasked.reports += wanted;
    spent.unasked.readings += refusal.readings;
    return refusal;
  }

  /** Takes the counts of what was refused for a device, to be handed to its object; undefined: nothing was. */
  takeUnasked(name: string): RefusedUnasked | undefined {
    const spent = this.#devices.get(name);
    if (spent === undefined || spent.unasked.reports === 0) return undefined;
    const { unasked } = spent;
    spent.unasked = { reports: 0, readings: 0 };
    return unasked;
  }

  /**
   * Notes what an object that was asked at `askedAtMs` said at `nowMs` of its device: what may be sent is reckoned from then on, so
   * that nothing is refused here that the object would take. Undefined: it may send.
   */
  note(name: string, spent: SpentAllowance | undefined, askedAtMs: number, nowMs: number): void {
    const before = this.#devices.get(name);
    if (spent === undefined) {
      if (before === undefined) return;
      if (before.unasked.reports === 0) this.#devices.delete(name);
      else before.heardAtMs = Number.NEGATIVE_INFINITY; // the next call takes the counts along
      return;
    }
    const { reports, ...rate } = spent;
    this.#devices.delete(name);
    this.#devices.set(name, {
      rate,
      allowance: { reports, atMs: askedAtMs },
      lagMs: Math.max(0, nowMs - askedAtMs),
      heardAtMs: nowMs,
      unasked: before?.unasked ?? { reports: 0, readings: 0 },
    });
    if (this.#devices.size > DEVICES_MAX) this.#devices.delete(this.#devices.keys().next().value!);
  }
}

/** What this isolate knows. */
export const spentDevices = new SpentDevices();
