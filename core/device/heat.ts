// Reports as they come, taken or not → how many a second a device sends, and whether that is too many.

import { rateOf } from "./allowance.ts";
import type { DeviceState } from "./state.ts";

/** Over how long reports are averaged: older ones count less and less. */
const AVERAGED_MS = 60_000;
/** A device whose rate has no limit is hot when it sends more than this a second. */
const HOT_PER_SECOND = 10;

/** Counts `reports` that came at `wallMs`, changing `state`. The next commit makes it durable; an eviction may forget it. */
export function heatUp(state: Pick<DeviceState, "heat">, reports: number, wallMs: number): void {
  const { reports: before, atMs } = state.heat;
  const now = Math.max(atMs, wallMs);
  state.heat = { reports: before * Math.exp((atMs - now) / AVERAGED_MS) + reports, atMs: now };
}

/** Returns how many reports a second a device sent of late, those that were refused too. */
export const reportsPerSecond = ({ heat }: Pick<DeviceState, "heat">, wallMs: number): number =>
  (heat.reports * Math.exp(Math.min(0, heat.atMs - wallMs) / AVERAGED_MS)) / (AVERAGED_MS / 1000);

/** Returns until when a device is hot if nothing more comes, epoch ms by the wall clock; one that is not: when it was measured last. */
export function coolsAt(state: Pick<DeviceState, "heat" | "settings" | "profile">): number {
  const { reports, atMs } = state.heat;
  const most = hotAbove(state) * (AVERAGED_MS / 1000);
  return atMs + Math.ceil(AVERAGED_MS * Math.max(0, Math.log(reports / most)));
}

/** Whether a device sends more reports a second than it may in the long run. */
export const isHot = (state: Pick<DeviceState, "heat" | "settings" | "profile">, wallMs: number): boolean =>
  reportsPerSecond(state, wallMs) > hotAbove(state);

const hotAbove = (state: Pick<DeviceState, "settings" | "profile">) =>
  rateOf(state).perSecond ?? HOT_PER_SECOND;
