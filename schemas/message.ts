// What crosses from one process to another inside Telltale: reports, verdicts, sealed blocks, and the objects' methods.
import * as z from "zod";
import type { TenantAccess } from "./access.ts";
import type { Alert, AlertAction, AlertEvent, IncidentSnapshot, NoticeKind, Refusal, Rule } from "./alert.ts";
import type { ApiKey } from "./api-key.ts";
import type { Channel, Delivery } from "./channel.ts";
import type { LimitCode, ReadingCode, ReadingProblem, Verdict } from "./codes.ts";
import type { AlertFrame, DeviceGlance, LatestReading } from "./live.ts";
import { deviceName, tenantName, zoneName } from "./name.ts";
import type { LatestAnswer } from "./query.ts";
import type { OwnRate, SettingsChange, TenantSettings } from "./tenant.ts";
import type { LimitName } from "./tenant-limit.ts";
import type { Admission, DeviceToken, Issuer, Revocation, RevokeOrder, TenantRevokeOrder } from "./token.ts";

/**
 * Reports of one device in the order they came. PERSISTED: in socket attachments, across deploys; add fields, never
 * change these. `rows` holds, per report: id, at (epoch ms), receivedAt (epoch ms), shape, then one value per name of
 * `shapes[shape]`. `id` is the caller's: the index in an HTTPS request, the `seq` on a socket.
 */
export interface PackedReports {
  names: string[];
  shapes: number[][];
  rows: Float64Array;
  /** Whether who sent them wants the verdict on each reading (`Verdicts.each`); absent: only the counts. */
  wantsEach?: boolean;
  /** Which reports came beyond the device's rate and are thinned, counted from 0, ascending; absent: none. */
  excess?: number[];
}

/** Readings by verdict, in the order of VERDICTS. */
export type VerdictCounts = [
  stored: number,
  duplicate: number,
  corrected: number,
  late: number,
  quarantined: number,
  refused: number,
];

/** What became of one reading: its verdict, or the code that it was refused by. */
export type EachVerdict = Exclude<Verdict, "refused"> | ReadingCode;

/** The verdicts on reports, and why readings were refused (the first hundred). */
export interface Verdicts {
  counts: VerdictCounts;
  problems: ReadingProblem[];
  /** One for each reading, in the order of the reports, where that is wanted. */
  each?: EachVerdict[];
}

/** The verdicts on the reports of one device (`each`: on the first `limited.taken`), and whether some came too fast. */
export interface ReportAnswer extends Verdicts {
  /**
   * Present: only the first `taken` reports were taken; the others, whose readings count as refused, may be sent again in
   * `retryAfterMs`.
   */
  limited?: { taken: number; retryAfterMs: number; code: LimitCode };
  /** Present: the device may send less than one report more at the moment, and is refused when it does. */
  spent?: SpentAllowance;
  /** How many of the readings are of reports beyond the device's rate, which are thinned; absent: none. */
  thinned?: number;
  /** How many readings a second the tenant may send; absent: as many as it likes. */
  readingsPerSecond?: number;
  /** Present: the token was revoked, and nothing was taken or counted. */
  isVoid?: true;
  /** Present: what the object waits for is behind, and its device is asked to send no more for so long. */
  slowDownMs?: number;
}

/** What is left of a device's allowance, less than one report, and how it fills. */
export interface SpentAllowance {
  reports: number;
  perSecond: number;
  burst: number;
}

/** What was refused for a device without asking its object. */
export interface RefusedUnasked {
  reports: number;
  readings: number;
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
  /** How many readings of a minute were thinned, each at the `at` of one of its readings here; absent: none. */
  thinned?: ThinnedCount[];
}

/** How many readings were thinned in the minute of `at`, which is the instant of a reading that was kept; epoch ms. */
export interface ThinnedCount {
  at: number;
  count: number;
}

/**
 * What the registry says of a device, as its object keeps it: its zone, what people call it, and what it may send; null:
 * no name, no model.
 */
export interface ObjectProfile {
  zone: string;
  name: string | null;
  model: string | null;
  /** The device it reports through, whose lack of data explains its own; null or absent: none. */
  gateway?: string | null;
  /** What it may send; null or absent: what its model or tenant says. */
  limits?: OwnRate | null;
}

/**
 * All rules of a tenant, the disabled ones too, as one of its versions has them. A device keeps the enabled ones that
 * concern it; by the others it knows why an alert of a rule it kept has to end.
 */
export interface TenantRules {
  version: number;
  rules: Rule[];
  /** The tenant's settings of that version, or newer. */
  settings?: TenantSettings;
}

/** What became of an order to an alert: the alert after it, or why nothing was done. */
export type AlertAnswer = { alert: Alert } | { refused: "unknown" | "resolved" };

/** What a sweep of a device did. */
export interface Swept {
  /** False: the device had nothing to do, and wrote nothing. */
  acted: boolean;
  /** How many blocks past their retention the device dropped since an earlier sweep counted them. */
  expired: number;
}

/** The life a device is in, and the zones that may know of it. */
export interface DeviceLife {
  /** 0 for the first life; rises with each deletion. */
  generation: number;
  /** False: nothing of this life was seen or committed yet. */
  isKnown: boolean;
  /** The device's zone, and every zone that has alerts of it. */
  zones: string[];
  /** Tokens of its own were revoked, in this life or a former one. */
  wasRevoked: boolean;
}

/** The methods of a device object; each is one billed request. Objects are named `tenant/device`. */
export interface DeviceRpc {
  /**
   * Applies as many of the reports as the device may send and commits them; none: commits nothing. Returns their
   * verdicts once the commit is durable.
   * @param token the token they came with; one that was revoked takes nothing
   * @param unasked what was refused for it since the last call, which counts as if it had come here
   * @throws when the commit fails; the reports may be sent again.
   */
  report(
    reports: PackedReports,
    receivedAtMs: number,
    token?: DeviceToken,
    unasked?: RefusedUnasked,
  ): Promise<ReportAnswer>;
  /**
   * Revokes the device's own tokens and closes the sockets they opened; durable when it resolves. Returns false when
   * there would be too many single ones: nothing changes.
   */
  revoke(order: RevokeOrder): Promise<boolean>;
  /** Returns the latest reading of each metric; null when the device never reported. */
  latest(): Promise<LatestAnswer | null>;
  /** Returns the newest `at` of the device, epoch ms; null when it never reported. */
  newestAt(): Promise<number | null>;
  /**
   * Returns the readings of `metric` in `[fromMs, toMs)` that the hot tier has; null when the device never reported.
   */
  readings(metric: string, fromMs: number, toMs: number): Promise<HotReadings | null>;
  /** Sets the device's zone, name, model, gateway and limits; resolves when its object has committed them. */
  setProfile(profile: ObjectProfile): Promise<void>;
  /**
   * Commits what sockets hold, seals every open block, and sends every unconfirmed block again. Returns how many
   * blocks were sealed, and how many are unconfirmed (`pending`).
   */
  seal(): Promise<{ sealed: number; pending: number }>;
  /** Returns how many sealed blocks that begin before `beforeMs` storage has yet to confirm. Changes nothing. */
  unconfirmed(beforeMs: number): Promise<number>;
  /** Tells the device that storage has these blocks: they leave its outbox. Receipts of another life are ignored. */
  confirm(stored: BlockReceipt[]): Promise<void>;
  /** Seals overdue blocks, sends unconfirmed ones again, drops expired ones and sets a lost alarm (SPEC D25). */
  sweep(): Promise<Swept>;
  /**
   * Seals what is open of `[fromMs, toMs)` and sends one page of its blocks that begin after `afterMs`, confirmed or
   * not. Returns how many were sent, and the `afterMs` of the next page; null when that was the last.
   */
  resend(fromMs: number, toMs: number, afterMs: number): Promise<{ sent: number; nextMs: number | null }>;
  /**
   * Leaves everything before `beforeMs` to the archive: from then on the device refuses it as too old. Returns how
   * many blocks before it storage has yet to confirm (`pending`); above 0 nothing was done, and the caller asks
   * again.
   * @throws RangeError when `beforeMs` is within the lateness horizon.
   */
  handOver(beforeMs: number): Promise<{ pending: number }>;
  /** Returns the life the device is in. */
  life(): Promise<DeviceLife>;
  /**
   * Ends the device's lives up to `generation`: ends its alerts in their zones, takes it out of zone and registry,
   * deletes all it has, and begins the life after `generation`. Changes nothing when that has begun already.
   * @throws when a zone or the registry does not answer; the call may be repeated.
   */
  forget(generation: number): Promise<void>;
  /**
   * Deletes all that the object has of the device's lives before `generation`, closes its sockets, and leaves nothing: for a
   * tenant that is being deleted with its zones and registry. Changes nothing of a later life when that is done.
   * @throws when its zone or tenant does not answer; the call may be repeated.
   */
  erase(generation: number): Promise<void>;
  /**
   * Replaces the device's rules when `rules` are a newer version; an older one changes nothing. A rule that is
   * removed, disabled or no longer concerns the device ends its alerts.
   */
  setRules(rules: TenantRules): Promise<void>;
  /**
   * Acknowledges, assigns, comments or resolves an alert of the device in the name of `by`. Durable when it resolves.
   */
  act(alert: string, action: AlertAction, by: string): Promise<AlertAnswer>;
  /** Returns the device's active alerts; none when it never reported. */
  alerts(): Promise<Alert[]>;
  /**
   * Has the device push updates to its zone until `untilMs`, by the wall clock; 0 asks for none. Returns what the
   * device shows, of its metrics at most `metricsMax`, the newest; null when it never reported.
   */
  watch(untilMs: number, metricsMax?: number): Promise<DeviceGlance | null>;
}

/** What a device pushes while watched. */
export interface LivePush {
  device: string;
  connected: boolean;
  lastReceivedAt: number | null;
  reportEveryMs: number | null;
  /** Of a device that is hot. */
  reportsPerSecond?: number;
  metrics: Record<string, LatestReading>;
}

/** The methods of a zone object, named `tenant/zone`. Its `fetch` serves the stream. */
export interface ZoneRpc {
  /** Notes the device as a member, and whether it holds a socket. Returns what `push` returns. */
  presence(device: string, connected: boolean): Promise<number>;
  /** Takes the device out of the zone's members; changes nothing when it is none. */
  leave(device: string): Promise<void>;
  /**
   * Shows an update to who watches the device. Returns until when the device shall push, by the wall clock; 0: nobody
   * watches.
   */
  push(update: LivePush): Promise<number>;
  /**
   * Takes the events of a device's alerts, in their order; repeated ones change nothing. Durable when it resolves.
   */
  alerts(events: AlertEvent[]): Promise<void>;
  /**
   * Returns an incident with its alerts; null when the zone never had it, or it is over and known to all for an hour.
   */
  incident(id: string): Promise<IncidentSnapshot | null>;
  /**
   * Confirms messages of the zone's outbox: each leaves it, or is sent again at `deferUntilMs`, until which it is
   * held back.
   */
  told(receipts: NoticeReceipt[]): Promise<void>;
  /**
   * Drops the alerts of the device's lives up to `generation`; incidents go on counting them as members without a
   * name. Returns `pending` true when one of them is active, or D1 was not told yet that one is over: nothing is
   * dropped, and the caller asks again.
   */
  forget(device: string, generation: number): Promise<{ pending: boolean }>;
  /**
   * Notes that a channel's receiver refused a message about an incident, once a message and channel, and who has it
   * instead once that is known. Returns the incident with it; null as `incident` does.
   */
  refused(incident: string, refusal: Refusal): Promise<IncidentSnapshot | null>;
  /** Sends the notices that are held back again at once, because silences changed. */
  release(): Promise<void>;
  /** Returns how many streams of the zone are open. */
  viewers(): Promise<number>;
  /**
   * Has the zone push events of alerts to the fleet until `untilMs`, by the wall clock. Returns its active alerts.
   */
  watchAlerts(untilMs: number): Promise<Alert[]>;
  /** Ends the streams whose tokens are void, now and as they open. */
  endVoid(revoked: Revocation): Promise<void>;
  /** Deletes all that the object has, if its tenant is being deleted; else changes nothing. @throws when that is not known. */
  erase(): Promise<void>;
}

/** An event, and the incident its alert belongs to. */
export type ZoneAlertEvent = AlertFrame["event"];

/** The methods of a tenant's fleet object, named by the tenant. Its `fetch` serves the stream. */
export interface FleetRpc {
  /**
   * Shows events of a zone's alerts to who watches the fleet. Returns false when nobody does: the zone pushes no
   * more.
   */
  push(events: ZoneAlertEvent[]): Promise<boolean>;
  /** Ends the streams whose tokens are void, now and as they open. */
  endVoid(revoked: Revocation): Promise<void>;
  /** Returns how many streams of the fleet are open. */
  viewers(): Promise<number>;
}

/** What became of one message of a zone's outbox. */
export interface NoticeReceipt {
  key: string;
  /** When it is to be sent again, by the wall clock; null: it is done with. */
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
  /**
   * Takes a message for delivery, once a key; durable when it resolves. `channel` replaces an older copy of the
   * settings. A disabled or deleted channel drops the message.
   */
  deliver(channel: Channel, notice: ChannelNotice): Promise<void>;
  /**
   * Sets the channel's settings and tries what waits at once; null: it is deleted, or the one of the
   * `createdAt` `madeAt`, and one that was made later stays. Disabled or deleted, it drops what waits.
   */
  configure(channel: Channel | null, madeAt?: number): Promise<void>;
  /** Confirms that a message which the receiver refused went by another channel, or that none is left. */
  rerouted(key: string): Promise<void>;
  /** Sends a test message at once, one attempt. Returns what came of it, also when it failed. */
  test(channel: Channel): Promise<Delivery | { retryAfterMs: number }>;
  /**
   * Returns the newest `limit` deliveries, newest first, and how many ended in each state since the channel was made;
   * `counts.waiting` is how many wait now.
   */
  deliveries(limit: number): Promise<{ deliveries: Delivery[]; counts: Record<string, number> }>;
}

/** What a device that sends too much tells its tenant, at most once a minute. */
export interface BusyDevice {
  device: string;
  /** Of late; null: it is not hot. */
  reportsPerSecond: number | null;
  /** Readings refused since it told the last time, by why. */
  refused: Partial<Record<LimitCode, number>>;
  /** Readings that came beyond its rate and were thinned, since it told the last time. */
  thinned: number;
}

/** What the tenant's object knows of who sends too much. */
export interface TenantUse {
  /** Devices that were hot within the last two minutes, the hottest first. */
  hot: { device: string; reportsPerSecond: number }[];
  /** Readings refused, by why, since `sinceMs`. */
  refused: Partial<Record<LimitCode, number>>;
  /** The devices most was refused of. */
  refusedByDevice: Record<string, number>;
  /** Readings that came beyond their device's rate and were thinned, and of which devices most. */
  thinned: number;
  thinnedByDevice: Record<string, number>;
  sinceMs: number;
  /** Limits that people are warned of, and those that refused something within the last minute. */
  warned: LimitName[];
  refusing: LimitName[];
  /** Readings a second that were leased, over the last whole minute. */
  readingsPerSecond: number;
}

/** The methods of the tenant's control object, named by the tenant. */
export interface TenantRpc {
  /** Returns the settings that hold: what was chosen, over the defaults. */
  settings(): Promise<TenantSettings>;
  /**
   * Changes the settings named, of `limits` too, and leaves the others. Returns all that hold.
   * @throws ZodError for a value out of its limits; nothing changes.
   */
  change(settings: SettingsChange): Promise<TenantSettings>;
  /** Raises the version of the tenant's rules, which devices compare with theirs. Returns the version after it. */
  changeRules(): Promise<number>;
  /**
   * Gives at most `readings` of what the tenant may send a second. `retryAfterMs`: when it has some again, 0 when it had.
   * `refused`: readings that the isolate refused since it asked before.
   */
  lease(readings: number, refused?: number): Promise<{ readings: number; retryAfterMs: number }>;
  /** Notes what a device that sends too much says. */
  busy(busy: BusyDevice): Promise<void>;
  /** Returns who sends too much, and what was refused. */
  used(): Promise<TenantUse>;
  /**
   * Notes how many bytes of files the tenant has. Returns the settings when that made its storage full, or made room in it:
   * its devices are to be told; else null.
   */
  stored(bytes: number): Promise<TenantSettings | null>;
  /** Notes what the tenant uses of a limit, and whether that refused something. */
  seen(name: LimitName, used: number, isRefused: boolean): Promise<void>;
  /** Of the warnings about the tenant's limits what ZoneRpc has of a zone's incidents. */
  incident(id: string): Promise<IncidentSnapshot | null>;
  told(receipts: NoticeReceipt[]): Promise<void>;
  refused(incident: string, refusal: Refusal): Promise<IncidentSnapshot | null>;
  /** Counts a device that nobody knew yet, unless the tenant has as many as it may: then returns false. */
  admit(device: string): Promise<boolean>;
  /** Counts a device no more, for it was deleted. */
  release(device: string): Promise<void>;
  /** Returns who may sign tokens for the tenant's devices beside the deployment. */
  issuers(): Promise<Issuer[]>;
  /** Returns which tokens of people are void, and how many streams may be open. */
  revoked(): Promise<Admission>;
  /**
   * Ends the tenant's life before `generation`: forgets what it chose, and every token is void until `ended`. Returns the
   * settings after it; repeated, it changes nothing.
   */
  end(generation: number): Promise<TenantSettings>;
  /** Says that the deletion is done: tokens that are issued from now on hold. Repeated, it changes nothing. */
  ended(generation: number): Promise<void>;
  /**
   * Revokes tokens of any role that were issued up to an instant, and single ones of people or of gateways. Returns the
   * settings after it; null when there would be too many single ones: nothing changes.
   */
  revoke(order: TenantRevokeOrder): Promise<{ settings: TenantSettings | null }>;
  /** Returns who of Cloudflare Access may do what, and a number that rises when that changes. */
  access(): Promise<TenantAccess>;
  /** Returns the tenant's API keys, the oldest first. */
  apiKeys(): Promise<ApiKey[]>;
  /** Keeps a new API key. Returns false when the tenant has as many as it may. */
  addApiKey(key: ApiKey): Promise<boolean>;
  /** Forgets an API key, where there is one of this id. */
  dropApiKey(id: string): Promise<void>;
  /** Notes that an API key is used now, once an hour. */
  useApiKey(id: string): Promise<void>;
}
