// A device that sends too much → its tenant is told, and the log, at most once a minute.
import { heatUp, isHot, reportsPerSecond } from "../../../core/device/heat.ts";
import type { DeviceState } from "../../../core/device/state.ts";
import type { LimitCode } from "../../../schemas/codes.ts";
import { wallMs } from "../../clock.ts";
import { tellBusy } from "../../tenant.ts";
import { withDeadline } from "../../with-deadline.ts";
import type { AggregateEnv } from "../env.ts";
import type { DeviceAlerts } from "./device-alerts.ts";

const TOLD_EVERY_MS = 60_000;
const TENANT_ANSWERS_MS = 5_000;

/** How much one device sends, and what was refused or thinned of it. */
export class DeviceHeat {
  readonly #ctx: DurableObjectState;
  readonly #tenants: AggregateEnv["TENANT"];
  readonly #alerts: DeviceAlerts;
  #toldAt = Number.NEGATIVE_INFINITY;
  #refused: Partial<Record<LimitCode, number>> = {};
  #thinned = 0;

  constructor(ctx: DurableObjectState, tenants: AggregateEnv["TENANT"], alerts: DeviceAlerts) {
    this.#ctx = ctx;
    this.#tenants = tenants;
    this.#alerts = alerts;
  }

  /** Counts readings that were thinned, which the next `note` tells. */
  noteThinned(readings: number): void {
    this.#thinned += readings;
  }

  /**
   * Notes reports that came, and readings of them that were refused. A device that is hot, or of which something was
   * refused or thinned that its tenant does not know, tells it at once and then at most each minute: one call a minute,
   * while it lasts. Returns whether an alert fired or ended by it: commit then.
   */
  note(state: DeviceState, reports: number, refused = 0, code: LimitCode = "rate_limited"): boolean {
    const now = wallMs();
    const hasCooled = this.#alerts.judgeHot(state, now); // since it was heard last
    heatUp(state, reports, now);
    this.#tell(state, refused, code, now);
    return this.#alerts.judgeHot(state, now) || hasCooled;
  }

  #tell(state: DeviceState, refused: number, code: LimitCode, now: number): void {
    if (refused > 0) this.#refused[code] = (this.#refused[code] ?? 0) + refused;
    const hot = isHot(state, now);
    const isUntold = this.#thinned > 0 || Object.keys(this.#refused).length > 0;
    if (!(isUntold || hot) || now - this.#toldAt < TOLD_EVERY_MS) return;
    this.#toldAt = now;
    const { tenant, device } = state;
    const perSecond = hot ? reportsPerSecond(state, now) : null;
    console.warn("a device sends too much", {
      tenant,
      device,
      reportsPerSecond: perSecond,
      refused: this.#refused,
      thinned: this.#thinned,
    });
    const busy = { device, reportsPerSecond: perSecond, refused: this.#refused, thinned: this.#thinned };
    this.#refused = {};
    this.#thinned = 0;
    const told = withDeadline(TENANT_ANSWERS_MS, "the tenant", tellBusy(this.#tenants, tenant, busy));
    this.#ctx.waitUntil(
      told.catch((error) => console.warn("a tenant was not told", { tenant, device, error: String(error) })),
    );
  }
}
