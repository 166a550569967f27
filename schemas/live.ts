// What a zone shows whoever watches it: a snapshot, then frames that change it, each with a sequence number.
import * as z from "zod";
import { alert, alertEvent } from "./alert.ts";
import { deviceName, zoneName } from "./name.ts";

const instantMs = z.number();

/** What is odd about a reading's `at`: more than 5 min behind its receipt, or ahead of it at all. */
export const clockFault = z.enum(["behind", "ahead"]);
export type ClockFault = z.infer<typeof clockFault>;

/** The newest reading of one metric, newest by the device's clock; `receivedAt` is ours. `clock` absent: nothing is odd. */
export const latestReading = z.object({
  at: instantMs,
  value: z.number(),
  receivedAt: instantMs,
  clock: clockFault.optional(),
});
export type LatestReading = z.infer<typeof latestReading>;

/**
 * How often a device reports, by the last receipts of its reports; null: it reported once, or never. Absent: from a version
 * that did not measure it.
 */
export const reportEveryMs = z.number().nullable().optional();

/** How many reports a second a device sends that is hot, as of the frame; absent: it was not. */
const reportsPerSecond = z.number().optional();

/**
 * One device at a glance. `connected`: it holds a socket open. `lastReceivedAt` null: it never reported. `metricsLeftOut`:
 * how many metrics it has besides these, in the snapshot of a zone; absent: none.
 */
export const deviceGlance = z.object({
  device: deviceName,
  zone: zoneName,
  name: z.string().nullable(),
  model: z.string().nullable(),
  connected: z.boolean(),
  lastReceivedAt: instantMs.nullable(),
  reportEveryMs,
  reportsPerSecond,
  metrics: z.record(z.string(), latestReading),
  metricsLeftOut: z.number().int().optional(),
});
export type DeviceGlance = z.infer<typeof deviceGlance>;

/** How many more there are than fit into a snapshot; absent: none. */
const leftOut = z.number().int().optional();

/**
 * The whole zone now, or a page of it. `missing` names the devices that did not answer before the deadline. What does not fit
 * is counted: `devicesLeftOut`, `missingLeftOut`, `alertsLeftOut`, and of a device `metricsLeftOut`. `next`: of a page, the
 * `after` of the one that follows, null when there is none.
 */
export const snapshotFrame = z.object({
  type: z.literal("snapshot"),
  seq: z.number(),
  zone: zoneName,
  at: instantMs,
  devices: z.array(deviceGlance),
  devicesLeftOut: leftOut,
  missing: z.array(deviceName),
  missingLeftOut: leftOut,
  /** The active alerts, oldest first. */
  alerts: z.array(alert).default([]),
  alertsLeftOut: leftOut,
  next: deviceName.nullable().optional(),
});
export type SnapshotFrame = z.infer<typeof snapshotFrame>;

/** New latest readings of one device (only the metrics that changed), or a change of its presence. */
export const updateFrame = z.object({
  type: z.literal("update"),
  seq: z.number(),
  device: deviceName,
  connected: z.boolean(),
  lastReceivedAt: instantMs.nullable(),
  reportEveryMs,
  reportsPerSecond,
  metrics: z.record(z.string(), latestReading),
});
export type UpdateFrame = z.infer<typeof updateFrame>;

/** The device is no longer in this zone. */
export const leftFrame = z.object({ type: z.literal("left"), seq: z.number(), device: deviceName });

/** Something happened to an alert: `event.alert` is the alert after it, unless one of a higher revision is known. */
export const alertFrame = z.object({
  type: z.literal("alert"),
  seq: z.number(),
  device: deviceName,
  event: alertEvent.extend({ incident: z.string() }),
});
export type AlertFrame = z.infer<typeof alertFrame>;

/**
 * On a WebSocket only: the viewer is to say that it has received the stream up to here, with `{"type":"ack","seq":…}` of the
 * same number. Who does not is cut (1013) when a megabyte more is to be sent.
 */
export const askFrame = z.object({ type: z.literal("ask"), seq: z.number() });
export type AskFrame = z.infer<typeof askFrame>;

/** What a viewer says on its WebSocket, besides `ping`. */
export const viewerFrame = z.object({ type: z.literal("ack"), seq: z.number() });
export type ViewerFrame = z.infer<typeof viewerFrame>;

export const zoneFrame = z.discriminatedUnion("type", [
  snapshotFrame,
  updateFrame,
  leftFrame,
  alertFrame,
  askFrame,
]);
export type ZoneFrame = z.infer<typeof zoneFrame>;
/** A frame that says something about what is watched. */
export type News<F extends { type: string }> = Exclude<F, AskFrame>;

/**
 * The active alerts of all zones now, oldest first. `missing` names the zones that did not answer before the deadline. What
 * does not fit is counted: `alertsLeftOut`, `missingLeftOut`.
 */
export const fleetSnapshotFrame = z.object({
  type: z.literal("snapshot"),
  seq: z.number(),
  at: instantMs,
  alerts: z.array(alert),
  alertsLeftOut: leftOut,
  missing: z.array(zoneName),
  missingLeftOut: leftOut,
});
export type FleetSnapshotFrame = z.infer<typeof fleetSnapshotFrame>;

export const fleetFrame = z.discriminatedUnion("type", [fleetSnapshotFrame, alertFrame, askFrame]);
export type FleetFrame = z.infer<typeof fleetFrame>;
