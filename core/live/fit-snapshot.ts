// What a zone's devices answered, and its alerts → what fits into a snapshot, and how much does not.
import type { Alert, Severity } from "../../schemas/alert.ts";
import { ALERT_BYTES_MAX, MISSING_LISTED_MAX, SNAPSHOT_BYTES_MAX } from "../../schemas/limits.ts";
import type { DeviceGlance, SnapshotFrame } from "../../schemas/live.ts";
import { oldestFirst } from "../alert/oldest-first.ts";
import { jsonBytes } from "./json-bytes.ts";

type Content = Omit<SnapshotFrame, "type" | "seq" | "zone" | "at">;

/** The comma between two. */
const SEPARATOR_BYTES = 1;
/** What holds the lists together: type, number, zone, instant and the names of the fields. */
const FRAME_BYTES = 1_024;

interface Kept {
  glance: DeviceGlance;
  bytes: number;
}

/**
 * Gathers answers in any order, holding at most twice the bytes of a snapshot. When they are too many, all devices
 * first show fewer metrics, half as many again and again, and then those go that have not reported for longest. What is
 * kept does not depend on the order. Linear in what is added, but for sorting.
 */
export class SnapshotFit {
  #kept: Kept[] = [];
  #bytes = 0;
  #metricsMax: number;
  #devicesLeftOut = 0;

  /** @param metricsMax most metrics that a device shows, when all fit */
  constructor(metricsMax: number) {
    this.#metricsMax = metricsMax;
  }

  /** What is held now, as JSON. */
  get bytes(): number {
    return this.#bytes;
  }

  add(glance: DeviceGlance): void {
    this.#keep(withMetrics(glance, this.#metricsMax));
    if (this.#bytes > 2 * SNAPSHOT_BYTES_MAX) this.#shrink(SNAPSHOT_BYTES_MAX);
  }

  /** Returns the devices by id, with who is missing and the alerts, all together in the bytes of a snapshot. */
  finish(missing: readonly string[], alerts: readonly Alert[]): Content {
    const shown = { ...fitMissing(missing), ...fitAlerts(alerts, ALERT_BYTES_MAX) };
    this.#shrink(SNAPSHOT_BYTES_MAX - FRAME_BYTES - jsonBytes(shown));
    const devices = this.#kept.map(({ glance }) => glance).sort((a, b) => (a.device < b.device ? -1 : 1));
    const leftOut = this.#devicesLeftOut === 0 ? {} : { devicesLeftOut: this.#devicesLeftOut };
    return { devices, ...leftOut, ...shown };
  }

  #keep(glance: DeviceGlance): void {
    const bytes = jsonBytes(glance) + SEPARATOR_BYTES;
    this.#kept.push({ glance, bytes });
    this.#bytes += bytes;
  }

  #shrink(bytesMax: number): void {
    while (this.#bytes > bytesMax && this.#metricsMax > 1) {
      this.#metricsMax = Math.floor(this.#metricsMax / 2);
      const before = this.#kept;
      this.#kept = [];
      this.#bytes = 0;
      for (const { glance } of before) this.#keep(withMetrics(glance, this.#metricsMax));
    }
    if (this.#bytes <= bytesMax) return;
    const fitting = firstThatFit(this.#kept.sort(lastHeardFirst), bytesMax);
    this.#devicesLeftOut += this.#kept.length - fitting.length;
    this.#kept = fitting;
    this.#bytes = fitting.reduce((sum, { bytes }) => sum + bytes, 0);
  }
}

/**
 * Returns the answers of a page of devices, in its order, as far as they fit; `next` is the last name that the page
 * goes to, null when that is the last of all. An answer that alone is larger than a page is on one of its own.
 * @param names whom was asked, ascending; `answers` in the same order, undefined: none
 * @param isLast nobody comes after them
 */
export function fitPage(
  names: readonly string[],
  answers: readonly (DeviceGlance | undefined)[],
  alerts: readonly Alert[],
  isLast: boolean,
): Content {
  const shown = fitAlerts(alerts, ALERT_BYTES_MAX);
  let bytesLeft = SNAPSHOT_BYTES_MAX - FRAME_BYTES - jsonBytes(shown);
  const devices: DeviceGlance[] = [];
  const missing: string[] = [];
  for (const [index, device] of names.entries()) {
    const answer = answers[index];
    bytesLeft -= jsonBytes(answer ?? device) + SEPARATOR_BYTES;
    if (bytesLeft < 0 && index > 0) return { devices, missing, ...shown, next: names[index - 1]! };
    if (answer === undefined) missing.push(device);
    else devices.push(answer);
  }
  return { devices, missing, ...shown, next: isLast ? null : (names.at(-1) ?? null) };
}

const SEVEREST: Record<Severity, number> = { critical: 2, warning: 1, info: 0 };

/** Returns as many alerts as fit, oldest first: the severest, of these the ones that fired last. */
export function fitAlerts(
  alerts: readonly Alert[],
  bytesMax: number,
): { alerts: Alert[]; alertsLeftOut?: number } {
  const kept = alerts.map((alert) => ({ alert, bytes: jsonBytes(alert) + SEPARATOR_BYTES }));
  kept.sort(
    ({ alert: a }, { alert: b }) =>
      SEVEREST[b.rule.severity] - SEVEREST[a.rule.severity] || oldestFirst(b, a),
  );
  const fitting = firstThatFit(kept, bytesMax).map(({ alert }) => alert);
  const leftOut = alerts.length - fitting.length;
  return { alerts: fitting.sort(oldestFirst), ...(leftOut === 0 ? {} : { alertsLeftOut: leftOut }) };
}

/** Returns the names that are listed, and how many more there are. */
export function fitMissing(missing: readonly string[]): { missing: string[]; missingLeftOut?: number } {
  const leftOut = missing.length - MISSING_LISTED_MAX;
  return {
    missing: missing.slice(0, MISSING_LISTED_MAX),
    ...(leftOut > 0 ? { missingLeftOut: leftOut } : {}),
  };
}

/** Returns a device with at most `most` metrics: those received last, of these the ones it has had for longest. */
function withMetrics(glance: DeviceGlance, most: number): DeviceGlance {
  const metrics = Object.entries(glance.metrics);
  if (metrics.length <= most) return glance;
  const kept = metrics.sort(([, a], [, b]) => b.receivedAt - a.receivedAt).slice(0, most);
  const metricsLeftOut = metrics.length - most + (glance.metricsLeftOut ?? 0);
  return { ...glance, metrics: Object.fromEntries(kept), metricsLeftOut };
}

const lastHeardFirst = ({ glance: a }: Kept, { glance: b }: Kept) =>
  (b.lastReceivedAt ?? 0) - (a.lastReceivedAt ?? 0) || (a.device < b.device ? -1 : 1);

function firstThatFit<K extends { bytes: number }>(ordered: readonly K[], bytesMax: number): K[] {
  let bytes = 0;
  const end = ordered.findIndex((entry) => {
    bytes += entry.bytes;
    return bytes > bytesMax;
  });
  return end < 0 ? [...ordered] : ordered.slice(0, end);
}
