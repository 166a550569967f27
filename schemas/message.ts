// What crosses from one process to another inside Telltale: reports, verdicts, sealed blocks, and the objects' methods.
import * as z from "zod";
import type { Alert, AlertAction, AlertEvent, IncidentSnapshot, NoticeKind, Rule } from "./alert.ts";
import type { Channel, Delivery } from "./channel.ts";
import type { ReadingProblem } from "./codes.ts";
import type { AlertFrame, DeviceGlance, LatestReading } from "./live.ts";
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
  /** These are all the readings of the range before this: its end, or less where that holds too much to read at once. */
  untilMs: number;
  at: Float64Array;
  value: Float64Array;
}

/** How a device object is told of its zone and names. */
export interface ObjectProfile {
  zone: string;
  name: string | null;
  model: string | null;
  /** The device it reports through, whose silence explains its own; absent: none. */
  gateway?: string | null;
}

/**
 * All rules of a tenant, the disabled ones too, as one of its versions has them. A device keeps the enabled ones that
 * concern it; from the others it tells why an alert of a rule it kept has to end.
 */
export interface TenantRules {
  version: number;
  rules: Rule[];
}

/** What became of an order to an alert: the alert after it, or why nothing was done. */
export type AlertAnswer = { alert: Alert } | { refused: "unknown" | "resolved" };

/** What a sweep of a device did, and how many blocks past their retention it gave up since it said so last. */
export interface Swept {
  acted: boolean;
  expired: number;
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
  /** Seals what is overdue, sends again what is unconfirmed, sets a lost alarm; see SPEC D25. */
  sweep(): Promise<Swept>;
  /** Sends every sealed block of the span again, a page at a time; null: that was all. */
  resend(fromMs: number, toMs: number, afterMs: number): Promise<{ sent: number; nextMs: number | null }>;
  /** Gives the range before `beforeMs` over to the archive. `pending` > 0: so many blocks before it are not stored yet; ask again. */
  handOver(beforeMs: number): Promise<{ pending: number }>;
  /** Forgets everything and begins a new life after `generation`. */
  forget(generation: number): Promise<void>;
  /** The tenant's rules changed: what is removed, disabled or no longer concerns the device ends its alerts. Older versions change nothing. */
  setRules(rules: TenantRules): Promise<void>;
  /** Somebody acknowledges, assigns, comments or resolves an alert of this device; durable when it answers. */
  act(alert: string, action: AlertAction, by: string): Promise<AlertAnswer>;
  /** The active alerts. */
  alerts(): Promise<Alert[]>;
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
  /** Events of a device's alerts in their order; durable when it answers, and each is taken once. */
  alerts(events: AlertEvent[]): Promise<void>;
  /** An incident and its members as they are now; null: never known, or long over. */
  incident(id: string): Promise<IncidentSnapshot | null>;
  /** These messages of the queue are done with; or, with an instant, are to be sent again then (a silence holds them). */
  told(receipts: NoticeReceipt[]): Promise<void>;
  /** Silences changed: what is held is sent again now. */
  release(): Promise<void>;
  /** Somebody watches the fleet until `untilMs`, by the wall clock: push events of alerts to it. Gives the active alerts. */
  watchAlerts(untilMs: number): Promise<Alert[]>;
}

/** An event, and the incident its alert belongs to. */
export type ZoneAlertEvent = AlertFrame["event"];

/** The methods of a tenant's fleet object, named by the tenant. Its `fetch` serves the stream. */
export interface FleetRpc {
  /** Events of a zone's alerts. False: nobody watches, push no more. */
  push(events: ZoneAlertEvent[]): Promise<boolean>;
}

export interface NoticeReceipt {
  key: string;
  /** By the wall clock; null: done with. */
  deferUntilMs: number | null;
}

/** One message for one channel, with what it says. */
export interface ChannelNotice {
  /** The idempotency key. */
  key: string;
  kind: NoticeKind;
  tenant: string;
  /** Members as they were when the message was made. */
  snapshot: IncidentSnapshot;
}

/** The methods of a channel's object, named `tenant/channel`: it delivers, and knows what it delivered. */
export interface ChannelRpc {
  /** Takes a message, once a key; durable when it answers. */
  deliver(channel: Channel, notice: ChannelNotice): Promise<void>;
  /** The channel changed; null: it is gone, and what waits is dropped. */
  configure(channel: Channel | null): Promise<void>;
  /** Sends a test message now and says what came of it. */
  test(channel: Channel): Promise<Delivery>;
  /** Newest first. `held`, `dead` and so on are counted since the channel was made. */
  deliveries(limit: number): Promise<{ deliveries: Delivery[]; counts: Record<string, number> }>;
}

/** The methods of the tenant's control object, named by the tenant. */
export interface TenantRpc {
  settings(): Promise<TenantSettings>;
  change(settings: Partial<TenantSettings>): Promise<TenantSettings>;
  /** The rules changed: gives the version that holds now, which devices compare with theirs. */
  changeRules(): Promise<number>;
}
