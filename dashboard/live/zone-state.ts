// Frames of a zone's stream → the zone as it is now, and what changed. Pure.
import type { Alert } from "../../schemas/alert.ts";
import type { DeviceGlance, LatestReading, News, SnapshotFrame, ZoneFrame } from "../../schemas/live.ts";

export interface ZoneState {
  /** The last frame seen; null before the first. */
  seq: number | null;
  /** The server's clock minus ours, so ages are right on a machine whose clock is not. */
  skewMs: number;
  devices: ReadonlyMap<string, DeviceGlance>;
  /** Devices that did not answer when the snapshot was taken, and have not been heard since. */
  missing: ReadonlySet<string>;
  /** How many more there are than the snapshot had room for, and have not been heard since. */
  leftOut: LeftOut;
  /** The active alerts by device, oldest first. */
  alerts: ReadonlyMap<string, readonly Alert[]>;
}

export interface LeftOut {
  devices: number;
  missing: number;
  alerts: number;
}

export interface SeenReading {
  device: string;
  metric: string;
  reading: LatestReading;
}

export interface ZoneChange {
  state: ZoneState;
  /** Devices whose row must be drawn again. */
  changed: Set<string>;
  /** A device came or went, or a metric was seen for the first time: the table's shape may differ. */
  reshaped: boolean;
  /** Readings not known before, in the order of their frames. */
  readings: SeenReading[];
}

export const EMPTY_ZONE: ZoneState = {
  seq: null,
  skewMs: 0,
  devices: new Map(),
  missing: new Set(),
  leftOut: { devices: 0, missing: 0, alerts: 0 },
  alerts: new Map(),
};

/** Applies frames in order; applying one twice changes nothing. The map is copied once a call, not once a frame. */
export function applyFrames(state: ZoneState, frames: readonly News<ZoneFrame>[], nowMs: number): ZoneChange {
  const draft = new Draft(state);
  for (const frame of frames) {
    if (frame.type === "snapshot") draft.replaceAll(frame, frame.at - nowMs);
    else if (frame.type === "left") draft.remove(frame.device);
    else if (frame.type === "alert") draft.alert(frame.event.alert);
    else draft.update(frame);
    draft.seq = frame.type === "snapshot" ? frame.seq : Math.max(draft.seq ?? 0, frame.seq);
  }
  return draft.finish();
}

class Draft {
  seq: number | null;
  #skewMs: number;
  #missing: Set<string>;
  #leftOut: LeftOut;
  readonly #devices: Map<string, DeviceGlance>;
  #alerts: Map<string, readonly Alert[]>;
  readonly #changed = new Set<string>();
  readonly #readings: SeenReading[] = [];
  #reshaped = false;

  constructor(state: ZoneState) {
    this.seq = state.seq;
    this.#skewMs = state.skewMs;
    this.#missing = new Set(state.missing);
    this.#leftOut = state.leftOut;
    this.#devices = new Map(state.devices);
    this.#alerts = new Map(state.alerts);
  }

  replaceAll(snapshot: SnapshotFrame, skewMs: number): void {
    const { devices: glances, missing, alerts } = snapshot;
    this.#skewMs = skewMs;
    this.#leftOut = {
      devices: snapshot.devicesLeftOut ?? 0,
      missing: snapshot.missingLeftOut ?? 0,
      alerts: snapshot.alertsLeftOut ?? 0,
    };
    this.#missing = new Set(missing);
    const before = this.#alerts;
    this.#alerts = Map.groupBy(alerts, ({ device }) => device);
    for (const device of [...before.keys(), ...this.#alerts.keys()]) this.#changed.add(device);
    const kept = new Set(glances.map((glance) => glance.device));
    for (const device of this.#devices.keys()) if (!kept.has(device)) this.remove(device);
    for (const glance of glances) {
      const before = this.#devices.get(glance.device);
      const metrics = this.#merge(glance.device, before?.metrics ?? {}, glance.metrics);
      this.#put({ ...glance, ...withLeftOut(metrics, glance) });
    }
  }

  update(frame: Extract<ZoneFrame, { type: "update" }>): void {
    const before = this.#devices.get(frame.device);
    const base = before ?? { device: frame.device, zone: "", name: null, model: null, metrics: {} };
    const isNews = this.seq === null || frame.seq > this.seq || before === undefined;
    const presence = isNews ? frame : (before ?? frame);
    if (before === undefined && !this.#missing.delete(frame.device)) this.#heardOf();
    this.#put({
      ...base,
      connected: presence.connected,
      lastReceivedAt: presence.lastReceivedAt,
      reportEveryMs: presence.reportEveryMs,
      ...withLeftOut(this.#merge(frame.device, base.metrics, frame.metrics), base),
    });
  }

  /** A device that is in no list is one of those that were left out, as long as there are any. */
  #heardOf(): void {
    const { devices, missing } = this.#leftOut;
    if (devices > 0) this.#leftOut = { ...this.#leftOut, devices: devices - 1 };
    else if (missing > 0) this.#leftOut = { ...this.#leftOut, missing: missing - 1 };
  }

  /** The newest revision counts; one that is resolved goes. */
  alert(alert: Alert): void {
    const before = this.#alerts.get(alert.device) ?? [];
    const known = before.findIndex(({ id }) => id === alert.id);
    if (known >= 0 && before[known]!.revision >= alert.revision) return;
    const after = before.filter((_, index) => index !== known);
    if (alert.resolvedAt === null) after.splice(known < 0 ? after.length : known, 0, alert);
    if (after.length > 0) this.#alerts.set(alert.device, after);
    else this.#alerts.delete(alert.device);
    this.#changed.add(alert.device);
  }

  remove(device: string): void {
    this.#missing.delete(device);
    if (!this.#devices.delete(device)) return;
    this.#changed.add(device);
    this.#reshaped = true;
  }

  finish(): ZoneChange {
    return {
      state: {
        seq: this.seq,
        skewMs: this.#skewMs,
        devices: this.#devices,
        missing: this.#missing,
        leftOut: this.#leftOut,
        alerts: this.#alerts,
      },
      changed: this.#changed,
      reshaped: this.#reshaped,
      readings: this.#readings,
    };
  }

  #put(glance: DeviceGlance): void {
    if (!this.#devices.has(glance.device)) this.#reshaped = true;
    this.#devices.set(glance.device, glance);
    this.#changed.add(glance.device);
  }

  /** The newest by the device's clock wins; the same instant again is a correction and wins too. */
  #merge(
    device: string,
    before: Readonly<Record<string, LatestReading>>,
    arrived: Readonly<Record<string, LatestReading>>,
  ): Record<string, LatestReading> {
    const merged = { ...before };
    for (const [metric, reading] of Object.entries(arrived)) {
      const known = merged[metric];
      if (known === undefined) this.#reshaped = true;
      if (known && (reading.at < known.at || (reading.at === known.at && reading.value === known.value)))
        continue;
      merged[metric] = reading;
      this.#readings.push({ device, metric, reading });
    }
    return merged;
  }
}

/** Metrics, and how many of those that `had` had or left out are not among them. */
function withLeftOut(
  metrics: DeviceGlance["metrics"],
  had: Pick<DeviceGlance, "metrics" | "metricsLeftOut">,
): Pick<DeviceGlance, "metrics" | "metricsLeftOut"> {
  if (had.metricsLeftOut === undefined) return { metrics };
  const left = had.metricsLeftOut + Object.keys(had.metrics).length - Object.keys(metrics).length;
  return { metrics, metricsLeftOut: left > 0 ? left : undefined };
}
