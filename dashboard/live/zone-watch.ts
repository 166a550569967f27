// One watched zone: its stream, its state, the trails seen, and who is to be told; at most one change per animation frame.
import type { Alert } from "../../schemas/alert.ts";
import type { DeviceGlance, News, ZoneFrame } from "../../schemas/live.ts";
import type { StreamState } from "./frame-stream.ts";
import { addToTrail, type Trail } from "./trail.ts";
import { applyFrames, EMPTY_ZONE, type ZoneChange, type ZoneState } from "./zone-state.ts";

/** A hidden page draws nothing, so frames would pile up: beyond this many they are applied at once. */
const QUEUED_FRAMES_MAX = 2_000;

const NO_ALERTS: readonly Alert[] = [];

export class ZoneWatch {
  state: ZoneState = EMPTY_ZONE;
  connection: StreamState = "connecting";
  readonly #trails = new Map<string, Map<string, Trail>>();
  readonly #trailCountMax: number;
  readonly #rowListeners = new Map<string, Set<() => void>>();
  readonly #listeners = new Set<(change: ZoneChange) => void>();
  readonly #connectionListeners = new Set<() => void>();
  #queue: News<ZoneFrame>[] = [];
  #scheduled = false;

  constructor(trailCountMax: number) {
    this.#trailCountMax = trailCountMax;
  }

  /** Now, by the server's clock. */
  now(): number {
    return Date.now() + this.state.skewMs;
  }

  row(device: string): DeviceGlance | undefined {
    return this.state.devices.get(device);
  }

  /** The active alerts of a device, oldest first. */
  alerts(device: string): readonly Alert[] {
    return this.state.alerts.get(device) ?? NO_ALERTS;
  }

  trail(device: string, metric: string): Trail | undefined {
    return this.#trails.get(device)?.get(metric);
  }

  setConnection(connection: StreamState): void {
    if (connection === this.connection) return;
    this.connection = connection;
    for (const listener of this.#connectionListeners) listener();
  }

  receive(frame: News<ZoneFrame>): void {
    this.#queue.push(frame);
    if (this.#queue.length > QUEUED_FRAMES_MAX) this.#apply();
    if (this.#scheduled) return;
    this.#scheduled = true;
    requestAnimationFrame(() => {
      this.#scheduled = false;
      this.#apply();
    });
  }

  onChange(listener: (change: ZoneChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  onConnection(listener: () => void): () => void {
    this.#connectionListeners.add(listener);
    return () => this.#connectionListeners.delete(listener);
  }

  onRow(device: string, listener: () => void): () => void {
    const listeners = this.#rowListeners.get(device) ?? new Set();
    this.#rowListeners.set(device, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0) this.#rowListeners.delete(device);
    };
  }

  #apply(): void {
    if (this.#queue.length === 0) return;
    const change = applyFrames(this.state, this.#queue, Date.now());
    this.#queue = [];
    this.state = change.state;
    for (const { device, metric, reading } of change.readings) {
      addToTrail(this.#trailOf(device, metric), reading.at, reading.value, this.#trailCountMax);
    }
    for (const listener of this.#listeners) listener(change);
    for (const device of change.changed)
      for (const listener of this.#rowListeners.get(device) ?? []) listener();
  }

  #trailOf(device: string, metric: string): Trail {
    const trails = this.#trails.get(device) ?? new Map<string, Trail>();
    this.#trails.set(device, trails);
    const trail = trails.get(metric) ?? { at: [], values: [] };
    trails.set(metric, trail);
    return trail;
  }
}
