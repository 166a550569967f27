// A device as its object wires it, for tests: reports → one commit → a state row and ring rows in memory.
import type { PackedReports, Verdicts } from "../../schemas/message.ts";
import { defaultSettings, type TenantSettings } from "../../schemas/tenant.ts";
import { ReportPacker } from "../report/pack.ts";
import { commit } from "./commit.ts";
import { giveUpExpired } from "./retain.ts";
import type { Ring, RingEntry } from "./ring.ts";
import type { SealedBlock } from "./seal.ts";
import { type DeviceState, decodeState, encodeState, newState } from "./state.ts";
import type { AlarmTiming } from "./timing.ts";

export const HOUR_MS = 3_600_000;
/** 2026-01-05T00:00Z, a full hour. */
export const START_MS = Date.UTC(2026, 0, 5);
export const TIMING: AlarmTiming = {
  spreadMs: 60_000,
  resendMs: 60_000,
  sealFallbackMs: 0,
  outboxSlackMs: 80 * 60_000,
};

/** A ring of rows in a Map. */
export class MapRing implements Ring {
  readonly rows = new Map<number, SealedBlock>();

  entries(): readonly RingEntry[] {
    return [...this.rows.values()];
  }

  read(slot: number): Uint8Array {
    const row = this.rows.get(slot);
    if (row === undefined) throw new Error(`slot ${slot} is not in use`);
    return row.block;
  }
}

export interface Sent {
  at: number;
  metrics: Record<string, number>;
}

export function packed(receivedAt: number, reports: readonly Sent[]): PackedReports {
  const packer = new ReportPacker();
  for (const [id, { at, metrics }] of reports.entries()) {
    packer.add(id, at, receivedAt, Object.keys(metrics), Object.values(metrics));
  }
  return packer.finish();
}

export interface Committed extends Verdicts {
  sealed: SealedBlock[];
  /** Startings of the blocks sent again. */
  resent: number[];
  /** The alarm to set, by the wall clock; undefined: what is set will do. */
  alarmWallAt: number | undefined;
}

export class FakeDevice {
  readonly ring = new MapRing();
  state: DeviceState;
  readonly #timing: AlarmTiming;
  #row: Uint8Array | undefined;

  constructor(settings: Partial<TenantSettings> = {}, timing = TIMING) {
    this.#timing = timing;
    this.state = newState("acme", "pump-1", { ...defaultSettings, ...settings }, 0);
  }

  /** One commit at `now`, decided by the very function that `DeviceObject` calls. */
  commit(now: number, reports: readonly Sent[] = [], sealAll = false): Committed {
    return this.commitPacked(now, packed(now, reports), sealAll);
  }

  /** One commit of reports as they are packed. */
  commitPacked(now: number, reports: PackedReports, sealAll = false): Committed {
    const { state, ring } = this;
    const input = {
      requests: [reports],
      nowMs: now,
      wallMs: now - state.clockOffsetMs,
      mustSeal: () => sealAll,
    };
    const { verdicts, sealed, overdue, alarmWallAt } = commit(state, input, ring, this.#timing);
    this.keep();
    for (const row of sealed) ring.rows.set(row.slot, row);
    return { ...verdicts[0]!, sealed, resent: overdue.map(({ startMs }) => startMs), alarmWallAt };
  }

  /** A sweep at `now`; returns the slots it deleted. */
  sweep(now: number): number[] {
    const deleted = giveUpExpired(this.state, this.ring, now);
    const { sealed } = this.commit(now);
    const gone = deleted.filter((slot) => sealed.every((row) => row.slot !== slot));
    for (const slot of gone) this.ring.rows.delete(slot);
    return gone;
  }

  /** Writes the state row, as a commit does. */
  keep(): void {
    this.#row = encodeState(this.state);
  }

  /** The object leaves memory and comes back from its row. */
  evict(): void {
    if (this.#row !== undefined) this.state = decodeState(this.#row);
  }
}

/** Deterministic full-precision numbers: nothing about them compresses. */
export function noise(count: number, seed = 1): number[] {
  let bits = seed >>> 0;
  return Array.from({ length: count }, () => {
    bits = (Math.imul(bits, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.sin(bits) * 1_000;
  });
}
