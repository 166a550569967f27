// What a device object remembers ↔ the bytes of its one row.
import type { ClockFault, LatestReading } from "../../schemas/live.ts";
import type { ObjectProfile, VerdictCounts } from "../../schemas/message.ts";
import { defaultSettings, type TenantSettings } from "../../schemas/tenant.ts";
import type { Revocation } from "../../schemas/token.ts";
import { type AlertsState, newAlerts, type Subject } from "../alert/state.ts";
import { HOUR_MS } from "../time.ts";
import { noCounts } from "../verdicts.ts";
import { type BlockMark, OpenBlock } from "./open-block.ts";

/**
 * How many readings the newest block of a device has, and since when: the length of the next bucket is chosen by it.
 * Instants are epoch ms.
 */
export interface Measured {
  startMs: number;
  firstAt: number;
  readings: number;
}

/** A sealed block that was sent to storage, until the consumer confirms it. */
export interface Pending {
  startMs: number;
  slot: number;
  revision: number;
  /**
   * When the block is sent again unless it is confirmed before, epoch ms by the wall clock, which the queue runs by.
   */
  resendAt: number;
  /** How often the block was sent at this revision since it was listed here. */
  attempts: number;
}

/** What a device may still send: a token bucket, as of RFC 2697 with one rate. */
export interface Allowance {
  /** Reports that may come at once, at `atMs`; it rises with time up to the burst. */
  reports: number;
  /** Epoch ms by the wall clock, for a device's rate is a matter of our time and not of its own. */
  atMs: number;
}

/** PERSISTED as JSON at the head of the row: new fields need a default in `decodeState`, none changes meaning. */
interface StateHeader {
  version: 1;
  tenant: string;
  device: string;
  profile: ObjectProfile;
  settings: TenantSettings;
  /** When the settings were last asked of the tenant's object, epoch ms by the wall clock. */
  settingsAt: number;
  /** The newest `at` ever taken, epoch ms, which the watermark trails; 0 when none was taken. */
  newestAt: number;
  /** End of the newest span ever sealed, epoch ms: no ring slot holds a bucket at or after it. */
  sealedThroughMs: number;
  /** Length in ms of the bucket of the newest block; older blocks are opened with it too. */
  bucketMs: number;
  /** The newest block ever sealed, as it was sealed last; null when none was. */
  measured: Measured | null;
  /**
   * End of the newest span given up or handed over, epoch ms. Nothing before it can be told from a duplicate, so
   * readings before it are refused. A ring slot whose block ends at or before it is free.
   */
  evictedThroughMs: number;
  /** Receipt time of the newest report, epoch ms; null when the device never reported. */
  lastReceivedAt: number | null;
  /** Receipt time of the first report, epoch ms; null when the device never reported. */
  firstReceivedAt: number | null;
  /** The last gaps between receipts, in ms, oldest first; see rhythm.ts. */
  gapsMs: number[];
  /** Readings by verdict, in the order of VERDICTS, since the device's first report. */
  counts: VerdictCounts;
  /** How many readings were taken whose `at` was ahead of the receipt time, or far behind it. */
  clock: Record<ClockFault, number>;
  /** How many reports the device may send at once; null: it never reported, or may send as many as it likes. */
  allowance: Allowance | null;
  /** Reports of late, older ones counting less; see heat.ts. `atMs` is epoch ms by the wall clock. */
  heat: { reports: number; atMs: number };
  /** Which of the device's own tokens are void; null: none ever was. Kept over the end of a life. */
  revoked: Revocation | null;
  commits: number;
  /** How many blocks were given up for their age since a sweep last counted them. */
  expired: number;
  /** Sealed blocks that are not confirmed and found room here, at most `OUTBOX_MAX`. */
  outbox: Pending[];
  /**
   * Start of the oldest unconfirmed block that the outbox had no room for, epoch ms: every block of the ring that
   * begins at or after it counts as unconfirmed. Null when the outbox lists every unconfirmed block.
   */
  unlistedFromMs: number | null;
  /**
   * When the alarm that is set fires, epoch ms by the receipt clock as it stood when the alarm was set; null when
   * none is set.
   */
  alarmAt: number | null;
  /** `alarmAt` by the wall clock, epoch ms; absent when no alarm was ever set. */
  alarmWallAt?: number;
  /** Which life of the device this is: it rises when the device is deleted, and everything else then begins anew. */
  generation: number;
  /** The receipt clock less the wall clock, in ms; 0 unless a local run sets the time. */
  clockOffsetMs: number;
  /** Whether the registry knows the device. */
  registered: boolean;
  /** The zone whose object counts the device as a member; null when none does. */
  joinedZone: string | null;
  /**
   * Until when updates are pushed to the zone because somebody watches, epoch ms by the wall clock; 0 when nobody
   * did.
   */
  watchedUntil: number;
  /**
   * The rules that concern the device, where each stands, its active alerts, and the events the zone has not
   * confirmed.
   */
  alerts: AlertsState;
  /**
   * When the zone is sent again the events it has not confirmed, epoch ms by the wall clock; null when there are
   * none.
   */
  tellAt: number | null;
}

/**
 * Returns an instant of the wall clock as one of the receipt clock, which only a local run moves away from it; epoch
 * ms.
 */
export const receiptMs = ({ clockOffsetMs }: DeviceState, wallMs: number) => wallMs + clockOffsetMs;

/**
 * Returns what the device's alerts say of the device; `model` and `gateway` are null when the registry names none.
 */
export const subjectOf = ({ device, profile, generation }: DeviceState): Subject => ({
  device,
  zone: profile.zone,
  model: profile.model,
  gateway: profile.gateway ?? null,
  generation,
});

/** All that a device object remembers besides its ring. `encodeState` makes it the bytes of one row. */
export interface DeviceState extends StateHeader {
  open: OpenBlock[];
  latest: Map<string, LatestReading>;
}

/** Fields that rows written before the field existed do not have; `decodeState` has a default for each. */
type Later =
  | "unlistedFromMs"
  | "gapsMs"
  | "clock"
  | "generation"
  | "bucketMs"
  | "measured"
  | "expired"
  | "alerts"
  | "tellAt"
  | "allowance"
  | "heat"
  | "revoked";

interface PersistedHeader extends Omit<StateHeader, Later | "settings">, Partial<Pick<StateHeader, Later>> {
  settings: Partial<Omit<TenantSettings, "limits">> & { limits?: Partial<TenantSettings["limits"]> };
  latest: Record<string, [at: number, value: number, receivedAt: number]>;
  open: (Omit<BlockMark, "bucketMs"> & { bucketMs?: number; bytes: number; touched?: number })[];
}

/**
 * Returns the state of a device that never reported. `nowMs` is when its settings were asked for, by the wall clock;
 * 0 has them asked for at once.
 */
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
    gapsMs: [],
    counts: noCounts(),
    clock: { behind: 0, ahead: 0 },
    allowance: null,
    heat: { reports: 0, atMs: 0 },
    revoked: null,
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

/** The zone of a device until a person names another. */
export const DEFAULT_ZONE = "default";

const HEADER_LENGTH_BYTES = 4;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * Returns the state as the bytes of its row: header length (u32 LE), header (JSON), then the open blocks, encoded,
 * one after another.
 */
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

/** The version this code writes, and the only one it reads. */
const VERSION = 1;

/**
 * Returns the state that `encodeState` made the row of. Blocks are decoded when they are first needed.
 * @throws Error for a row of another version: its fields may mean something else, and guessing would lose readings.
 * The object answers nothing until code that knows the version is deployed, and its row stays as it is.
 */
export function decodeState(row: Uint8Array): DeviceState {
  const headBytes = new DataView(row.buffer, row.byteOffset).getUint32(0, true);
  let offset = HEADER_LENGTH_BYTES + headBytes;
  const header = JSON.parse(decoder.decode(row.subarray(HEADER_LENGTH_BYTES, offset))) as PersistedHeader;
  if (header.version !== VERSION) {
    throw new Error(
      `a state row of version ${JSON.stringify(header.version)}, this code reads version ${VERSION}: deploy code that knows it`,
    );
  }
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
    gapsMs: header.gapsMs ?? [],
    clock: header.clock ?? { behind: 0, ahead: 0 },
    generation: header.generation ?? 0,
    bucketMs: header.bucketMs ?? HOUR_MS,
    measured: header.measured ?? null,
    expired: header.expired ?? 0,
    alerts: header.alerts ?? newAlerts(),
    tellAt: header.tellAt ?? null,
    allowance: header.allowance ?? null,
    heat: header.heat ?? { reports: 0, atMs: 0 },
    revoked: header.revoked ?? null,
    settings: {
      ...defaultSettings,
      ...header.settings,
      limits: { ...defaultSettings.limits, ...header.settings.limits },
    },
  } satisfies Pick<StateHeader, Later | "settings">;
  return { ...header, ...later, open, latest };
}
