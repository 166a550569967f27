// What a device object remembers ↔ the bytes of its one row.
import type { ClockFault, LatestReading } from "../../schemas/live.ts";
import type { ObjectProfile } from "../../schemas/message.ts";
import type { TenantSettings } from "../../schemas/tenant.ts";
import { type AlertsState, newAlerts } from "../alert/state.ts";
import { HOUR_MS } from "../window/align.ts";
import type { Measured } from "./bucket.ts";
import { type BlockMark, OpenBlock } from "./open-block.ts";

/** A sealed block on its way to storage, until the consumer says it is there. */
export interface Pending {
  startMs: number;
  slot: number;
  revision: number;
  /** When it is sent again unless confirmed before, epoch ms by the wall clock: the queue runs by that. */
  resendAt: number;
  attempts: number;
}

/** PERSISTED as JSON at the head of the row: new fields need a default in `decodeState`, none changes meaning. */
interface StateHeader {
  version: 1;
  tenant: string;
  device: string;
  profile: ObjectProfile;
  settings: TenantSettings;
  /** When the settings were last asked of the tenant's object, by the wall clock. */
  settingsAt: number;
  /** Newest `at` ever taken: the watermark's head. */
  newestAt: number;
  /** End of the newest span ever sealed: a bucket at or after it is in no ring slot. */
  sealedThroughMs: number;
  /** Length of the bucket of the newest block, and of what older ones are opened. */
  bucketMs: number;
  /** The newest block ever sealed, as it was sealed last; null: none. */
  measured: Measured | null;
  /**
   * End of the newest span given up or handed over: nothing before it can be told from a duplicate, so it is refused.
   * A ring slot that ends at or before it is free.
   */
  evictedThroughMs: number;
  lastReceivedAt: number | null;
  firstReceivedAt: number | null;
  /** Readings by verdict, in the order of VERDICTS, since the device's first report. */
  counts: number[];
  /** Readings taken in whose `at` was odd. */
  clock: Record<ClockFault, number>;
  commits: number;
  /** Blocks given up for their age since a sweep counted them. */
  expired: number;
  outbox: Pending[];
  /** Where the unconfirmed blocks begin for which the outbox had no room: all from here on count as such; null: none. */
  unlistedFromMs: number | null;
  /** When the pending alarm fires, by the receipt clock as it stood when it was set; null: none. */
  alarmAt: number | null;
  /** The same instant by the wall clock. */
  alarmWallAt?: number;
  /** Which life of the device: rises when it is deleted, and then nothing else is left. */
  generation: number;
  /** What the receipt clock differs from the wall clock; 0 unless a local run sets the time. */
  clockOffsetMs: number;
  /** The registry knows the device, and this zone's object counts it a member. */
  registered: boolean;
  joinedZone: string | null;
  /** Somebody watches until then, by the wall clock: updates are pushed to the zone. */
  watchedUntil: number;
  /** The rules that concern the device, where each stands, and what the zone was not told yet. */
  alerts: AlertsState;
  /** When the zone is told again what it has not taken, by the wall clock; null: it has taken everything. */
  tellAt: number | null;
}

export interface DeviceState extends StateHeader {
  open: OpenBlock[];
  latest: Map<string, LatestReading>;
}

/** What came to the header later may be missing. */
type Later =
  | "unlistedFromMs"
  | "clock"
  | "generation"
  | "bucketMs"
  | "measured"
  | "expired"
  | "alerts"
  | "tellAt";

interface PersistedHeader extends Omit<StateHeader, Later>, Partial<Pick<StateHeader, Later>> {
  latest: Record<string, [at: number, value: number, receivedAt: number]>;
  open: (Omit<BlockMark, "bucketMs"> & { bucketMs?: number; bytes: number; touched?: number })[];
}

/** The state of a device that never reported. */
export function newState(
  tenant: string,
  device: string,
  settings: TenantSettings,
  nowMs: number,
): DeviceState {
  return {
    version: 1,
    tenant,
    device,
    profile: { zone: DEFAULT_ZONE, name: null, model: null },
    settings,
    settingsAt: nowMs,
    newestAt: 0,
    sealedThroughMs: 0,
    bucketMs: HOUR_MS,
    measured: null,
    evictedThroughMs: 0,
    lastReceivedAt: null,
    firstReceivedAt: null,
    counts: [0, 0, 0, 0, 0, 0],
    clock: { behind: 0, ahead: 0 },
    commits: 0,
    expired: 0,
    outbox: [],
    unlistedFromMs: null,
    alarmAt: null,
    generation: 0,
    clockOffsetMs: 0,
    registered: false,
    joinedZone: null,
    watchedUntil: 0,
    alerts: newAlerts(),
    tellAt: null,
    open: [],
    latest: new Map(),
  };
}

/** Where a device is until an operator says otherwise. */
export const DEFAULT_ZONE = "default";

const HEADER_LENGTH_BYTES = 4;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The row: header length (u32 LE), header (JSON), then the bytes of the open blocks one after another. */
export function encodeState(state: DeviceState): Uint8Array {
  const blocks = state.open.map((open) => open.bytes());
  const latest: PersistedHeader["latest"] = Object.create(null);
  for (const [metric, { at, value, receivedAt }] of state.latest) latest[metric] = [at, value, receivedAt];
  const header: PersistedHeader = {
    ...state,
    latest,
    open: state.open.map(({ mark, touched }, i) => ({ ...mark, touched, bytes: blocks[i]!.length })),
  };
  const head = encoder.encode(JSON.stringify(header));
  const row = new Uint8Array(
    blocks.reduce((sum, block) => sum + block.length, HEADER_LENGTH_BYTES + head.length),
  );
  new DataView(row.buffer).setUint32(0, head.length, true);
  row.set(head, HEADER_LENGTH_BYTES);
  let offset = HEADER_LENGTH_BYTES + head.length;
  for (const block of blocks) {
    row.set(block, offset);
    offset += block.length;
  }
  return row;
}

/** The inverse of `encodeState`. Blocks are decoded when first needed. */
export function decodeState(row: Uint8Array): DeviceState {
  const headBytes = new DataView(row.buffer, row.byteOffset).getUint32(0, true);
  let offset = HEADER_LENGTH_BYTES + headBytes;
  const header = JSON.parse(decoder.decode(row.subarray(HEADER_LENGTH_BYTES, offset))) as PersistedHeader;
  const open = header.open.map(({ bytes, touched, ...mark }) => {
    const block = new OpenBlock(
      { ...mark, bucketMs: mark.bucketMs ?? HOUR_MS },
      row.subarray(offset, offset + bytes),
      touched,
    );
    offset += bytes;
    return block;
  });
  const latest = new Map(
    Object.entries(header.latest).map(([metric, [at, value, receivedAt]]) => [
      metric,
      { at, value, receivedAt },
    ]),
  );
  const later = {
    unlistedFromMs: header.unlistedFromMs ?? null,
    clock: header.clock ?? { behind: 0, ahead: 0 },
    generation: header.generation ?? 0,
    bucketMs: header.bucketMs ?? HOUR_MS,
    measured: header.measured ?? null,
    expired: header.expired ?? 0,
    alerts: header.alerts ?? newAlerts(),
    tellAt: header.tellAt ?? null,
  } satisfies Pick<StateHeader, Later>;
  return { ...header, ...later, open, latest };
}
