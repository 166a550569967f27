// What a zone shows whoever watches it: a snapshot, then frames that change it, each with a sequence number.
import * as z from "zod";
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

/** One device at a glance. `connected`: it holds a socket open. `lastReceivedAt` null: it never reported. */
export const deviceGlance = z.object({
  device: deviceName,
  zone: zoneName,
  name: z.string().nullable(),
  model: z.string().nullable(),
  connected: z.boolean(),
  lastReceivedAt: instantMs.nullable(),
  metrics: z.record(z.string(), latestReading),
});
export type DeviceGlance = z.infer<typeof deviceGlance>;

/** The whole zone now. `missing` names the devices that did not answer before the deadline. */
export const snapshotFrame = z.object({
  type: z.literal("snapshot"),
  seq: z.number(),
  zone: zoneName,
  at: instantMs,
  devices: z.array(deviceGlance),
  missing: z.array(deviceName),
});
export type SnapshotFrame = z.infer<typeof snapshotFrame>;

/** New latest readings of one device (only the metrics that changed), or a change of its presence. */
export const updateFrame = z.object({
  type: z.literal("update"),
  seq: z.number(),
  device: deviceName,
  connected: z.boolean(),
  lastReceivedAt: instantMs.nullable(),
  metrics: z.record(z.string(), latestReading),
});
export type UpdateFrame = z.infer<typeof updateFrame>;

/** The device is no longer in this zone. */
export const leftFrame = z.object({ type: z.literal("left"), seq: z.number(), device: deviceName });

export const zoneFrame = z.discriminatedUnion("type", [snapshotFrame, updateFrame, leftFrame]);
export type ZoneFrame = z.infer<typeof zoneFrame>;
