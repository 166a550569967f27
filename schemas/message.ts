// What crosses from one process to another inside Telltale: reports, verdicts, sealed blocks, and the objects' methods.
import * as z from "zod";
import type { ReadingProblem } from "./codes.ts";
import type { DeviceGlance, LatestReading } from "./live.ts";
import { deviceName, tenantName, zoneName } from "./name.ts";
import type { LatestAnswer } from "./query.ts";
import type { TenantSettings } from "./tenant.ts";

/**
 * Reports of one device in the order they came. PERSISTED: in socket attachments, across deploys; add fields, never
 * change these. `rows` holds, per report: id, at (epoch ms), receivedAt (epoch ms), shape, then one value per name of
 * `shapes[shape]`. `id` is the caller's: the index in an HTTPS request, the `seq` on a socket.
 */
export interface PackedReports {
  names: string[];
  shapes: number[][];
  rows: Float64Array;
}

/** The verdicts on reports: readings by verdict, in the order of VERDICTS, and why readings were refused (the first hundred). */
export interface Verdicts {
  counts: number[];
  problems: ReadingProblem[];
}

/**
 * PERSISTED: one sealed block on the queue `telltale-rollups`, up to 14 days old when read. The rollup is a pure
 * function of the block, so the consumer computes it and the message stays below one 64 KB operation.
 */
export const blockMessage = z.object({
  version: z.literal(1),
  tenant: tenantName,
  device: deviceName,
  startMs: z.number().int(),
  endMs: z.number().int(),
  revision: z.number().int().positive(),
  /** Which life of the device: rises when it is deleted. */
  generation: z.number().int().nonnegative().default(0),
  /** Where the device was when the block was sealed. */
  zone: zoneName.default("default"),
  block: z.instanceof(Uint8Array<ArrayBufferLike>),
});
export type BlockMessage = z.infer<typeof blockMessage>;
/** As a queue may hold it: sent before a deploy, without the fields that have a default. */
export type BlockMessageInput = z.input<typeof blockMessage>;

/** What names a sealed block of a device to the device: where it starts, and which of its revisions. */
export interface BlockReceipt {
  startMs: number;
  revision: number;
  /** Which life of the device; absent: the first. */
  generation?: number;
}

/** Readings of one metric from the hot tier, and where the other tiers take over. */
export interface HotReadings {
  /** Raw readings from here on are all hot. */
  hotFromMs: number;
  /** From here on something is not yet in D1 and R2; before it, they have everything. */
  unsettledFromMs: number;
  /** False: the range holds more than READINGS_PER_QUERY_MAX, and these are only its beginning. */
  complete: boolean;
  at: Float64Array;
  value: Float64Array;
}

/** How a device object is told of its zone and names. */
export interface ObjectProfile {
  zone: string;
  name: string | null;
  model: string | null;
}

/** The methods of a device object; each is one billed request. Objects are named `tenant/device`. */
export interface DeviceRpc {
  /** Applies and commits reports; answers after the commit is durable. */
  report(reports: PackedReports, receivedAtMs: number): Promise<Verdicts>;
  /** Null: the device never reported. */
  latest(): Promise<LatestAnswer | null>;
  /** Readings of `metric` in `[fromMs, toMs)`; null: the device never reported. */
  readings(metric: string, fromMs: number, toMs: number): Promise<HotReadings | null>;
  setProfile(profile: ObjectProfile): Promise<void>;
  /** Seals every open block now, commits held reports, and sends whatever is unconfirmed again. */
  seal(): Promise<{ sealed: number; pending: number }>;
  /** Storage has these blocks. */
  confirm(stored: BlockReceipt[]): Promise<void>;
  /** Seals what is overdue, sends again what is unconfirmed, sets a lost alarm; see SPEC D25. False: nothing was to be done. */
  sweep(): Promise<boolean>;
  /** Sends every sealed block of the span again, a page at a time; null: that was all. */
  resend(fromMs: number, toMs: number, afterMs: number): Promise<{ sent: number; nextMs: number | null }>;
  /** Gives the range before `beforeMs` over to the archive. `pending` > 0: so many blocks before it are not stored yet; ask again. */
  handOver(beforeMs: number): Promise<{ pending: number }>;
  /** Forgets everything and begins a new life after `generation`. */
  forget(generation: number): Promise<void>;
  /** Somebody watches until `untilMs`: push updates to the zone, and answer what is known now. */
  watch(untilMs: number): Promise<DeviceGlance | null>;
}

/** What a device pushes while watched. */
export interface LivePush {
  device: string;
  connected: boolean;
  lastReceivedAt: number | null;
  metrics: Record<string, LatestReading>;
}

/** The methods of a zone object, named `tenant/zone`. Its `fetch` serves the stream. */
export interface ZoneRpc {
  /** The device is (still) a member, with or without a socket. Gives until when it shall push, as `push` does. */
  presence(device: string, connected: boolean): Promise<number>;
  leave(device: string): Promise<void>;
  /** Gives the instant until which the device shall push, by the wall clock; 0: nobody watches it. */
  push(update: LivePush): Promise<number>;
}

/** The methods of the tenant's control object, named by the tenant. */
export interface TenantRpc {
  settings(): Promise<TenantSettings>;
  change(settings: Partial<TenantSettings>): Promise<TenantSettings>;
}
