// What a tenant uses of its limits → its people are warned through its channels, once a crossing, and told when it is over.
import { withRefusal } from "../../../core/alert/refusal.ts";
import { measure, newUseRate, type UseRate } from "../../../core/tenant/use-rate.ts";
import {
  confirm,
  isWarned,
  type LimitWarning,
  sent,
  type LimitWarnings as Warnings,
  warn,
  warningId,
  warningKey,
  warningSnapshot,
} from "../../../core/tenant/warn.ts";
import type { IncidentSnapshot, Refusal } from "../../../schemas/alert.ts";
import { LIMITS_ZONE } from "../../../schemas/limits.ts";
import type { NoticeReceipt, TenantUse } from "../../../schemas/message.ts";
import type { TenantSettings } from "../../../schemas/tenant.ts";
import type { LimitName } from "../../../schemas/tenant-limit.ts";
import { wallMs } from "../../clock.ts";
import { countViewers } from "../../count-viewers.ts";
import { type AggregateEnv, noticeResendMsOf } from "../env.ts";

const MINUTE_MS = 60_000;
/** How often it is looked whether a warning about devices or viewers is over, which nobody may say. */
const LOOKED_EVERY_MS = 10 * MINUTE_MS;
/** Deletions come in crowds: they are counted together. */
const LOOK_SOON_MS = 5_000;

/** The tenant's object as its warnings see it. */
export interface WarningHome {
  env: AggregateEnv;
  tenant(): string;
  limits(): TenantSettings["limits"];
  /** Reads a row of the registry's index for each device. @throws when the registry is away. */
  countDevices(): Promise<number>;
  warnings(): Warnings;
  /** Keeps the warnings at once, and durably when it resolves. */
  keep(warnings: Warnings): Promise<void>;
  setAlarm(atMs: number): Promise<void>;
  waitUntil(work: Promise<void>): void;
}

const entriesOf = (warnings: Warnings) => Object.entries(warnings) as [LimitName, LimitWarning][];

/**
 * The warnings about one tenant's limits. Without a crossing nothing is written. A warning costs the object some six
 * rows and two messages of the queue from its beginning to its end, and while it lasts an alarm: one a minute for
 * readings a second; for the others one in ten minutes, which counts the tenant's devices and, where viewers are limited,
 * calls each of its zones.
 */
export class LimitWarnings {
  readonly #home: WarningHome;
  /** Since the object woke; undefined: nothing was leased since. */
  #rate: UseRate | undefined;
  readonly #refusedAt = new Map<LimitName, number>();
  #lookAt = Number.POSITIVE_INFINITY;
  #lookedAt = Number.NEGATIVE_INFINITY;

  constructor(home: WarningHome) {
    this.#home = home;
  }

  /** Takes note of what the tenant uses of a limit. What people are to be told goes to the queue afterwards. */
  see(name: LimitName, used: number, isRefused = false): void {
    const nowMs = wallMs();
    if (isRefused) this.#refusedAt.set(name, nowMs);
    const before = this.#home.warnings()[name];
    const after = warn(before, { used, isRefused }, this.#home.limits()[name], nowMs);
    if (after === before) return;
    this.#home.waitUntil(this.#keep({ [name]: after }).then(() => this.#send()));
  }

  /** Takes note of readings that were leased; `isRefused`: others were refused. */
  leased(readings: number, isRefused: boolean): void {
    const nowMs = wallMs();
    this.#rate ??= newUseRate(nowMs);
    const judged = measure(this.#rate, readings, isRefused, nowMs);
    if (judged !== undefined) this.see("readingsPerSecond", judged.used, judged.isRefused);
  }

  /** Has devices and viewers counted within seconds, where there is a limit or a warning; else does nothing. */
  async lookSoon(): Promise<void> {
    const limits = this.#home.limits();
    const isLimited = limits.devices !== null || limits.viewers !== null;
    if (!isLimited && !Object.values(this.#home.warnings()).some(isWarned)) return;
    this.#lookAt = wallMs() + LOOK_SOON_MS;
    await this.#plan();
  }

  /** What the answer about quotas shows of it. */
  shown(): Pick<TenantUse, "warned" | "refusing" | "readingsPerSecond"> {
    const nowMs = wallMs();
    const rate = this.#rate;
    return {
      warned: entriesOf(this.#home.warnings())
        .filter(([, warning]) => isWarned(warning))
        .map(([name]) => name),
      refusing: [...this.#refusedAt].filter(([, at]) => nowMs - at < MINUTE_MS).map(([name]) => name),
      readingsPerSecond: rate !== undefined && nowMs - rate.sinceMs < 2 * MINUTE_MS ? rate.perSecond : 0,
    };
  }

  /** Does what is due when the object's alarm went off. Never throws: it is woken again. */
  async wake(): Promise<void> {
    try {
      const nowMs = wallMs();
      const warnings = this.#home.warnings();
      // An object that slept was asked for no share.
      if (isWarned(warnings.readingsPerSecond))
        if (this.#rate === undefined) this.see("readingsPerSecond", 0);
        else this.leased(0, false);
      const isOld = nowMs - this.#lookedAt >= LOOKED_EVERY_MS;
      const isStanding = isWarned(warnings.devices) || isWarned(warnings.viewers);
      const isForgotten = this.#lookedAt === Number.NEGATIVE_INFINITY; // why it was woken, with the object
      if (nowMs >= this.#lookAt || isForgotten || (isOld && isStanding)) await this.#look();
      await this.#send();
    } catch (error) {
      console.error("limits not looked at; it is done again", { error: String(error) });
      await this.#home.setAlarm(wallMs() + MINUTE_MS);
    }
  }

  async #look(): Promise<void> {
    const { env } = this.#home;
    const tenant = this.#home.tenant();
    const limits = this.#home.limits();
    this.#lookAt = Number.POSITIVE_INFINITY;
    this.#lookedAt = wallMs();
    for (const name of ["devices", "storageBytes", "readingsPerSecond", "viewers"] as const)
      if (limits[name] === null) this.see(name, 0);
    if (limits.devices !== null) this.see("devices", await this.#home.countDevices());
    if (limits.viewers !== null) this.see("viewers", await countViewers(env, tenant));
  }

  // ---- what is told, as a zone tells of its incidents ----------------------------------------------------------------

  /** Returns a warning as an incident; null: there is none of that id, or a later one of its limit. */
  incident(id: string): IncidentSnapshot | null {
    const found = this.#find((name, warning) => id === warningId(name, warning));
    return found === undefined ? null : warningSnapshot(this.#home.tenant(), ...found);
  }

  /** Confirms messages: each is done with, or sent again at its `deferUntilMs`. */
  async told(receipts: readonly NoticeReceipt[]): Promise<void> {
    const againAt = wallMs() + noticeResendMsOf(this.#home.env); // at the earliest, for clocks differ
    for (const { key, deferUntilMs } of receipts)
      for (const kind of ["fire", "resolve"] as const) {
        const found = this.#find((name, warning) => key === warningKey(name, warning, kind));
        if (found === undefined) continue;
        const until = deferUntilMs === null ? null : Math.max(deferUntilMs, againAt);
        const after = confirm(found[1], kind, until);
        if (after !== found[1]) await this.#keep({ [found[0]]: after });
      }
  }

  /** Notes that a channel's receiver refused a message about a warning. Returns the warning with it, as `incident` does. */
  async refused(id: string, refusal: Refusal): Promise<IncidentSnapshot | null> {
    const snapshot = this.incident(id);
    if (snapshot === null) return null;
    const { refusals = [] } = withRefusal(snapshot.incident, refusal);
    const [name, warning] = this.#find((own, kept) => id === warningId(own, kept))!;
    await this.#keep({ [name]: { ...warning, refusals } });
    return this.incident(id);
  }

  #find(fits: (name: LimitName, warning: LimitWarning) => boolean): [LimitName, LimitWarning] | undefined {
    return entriesOf(this.#home.warnings()).find(([name, warning]) => fits(name, warning));
  }

  /** Sends what is due, and again until it is confirmed: the object's alarm sees to it, whatever the queue says. */
  async #send(): Promise<void> {
    const nowMs = wallMs();
    const tenant = this.#home.tenant();
    const againAt = nowMs + noticeResendMsOf(this.#home.env);
    const due = entriesOf(this.#home.warnings()).flatMap(([name, warning]) =>
      warning.waiting.filter(({ dueAt }) => dueAt <= nowMs).map(({ kind }) => ({ name, warning, kind })),
    );
    if (due.length === 0) return await this.#plan();
    const noted = due.map(({ name, warning }) => [name, sent(warning, nowMs, againAt)] as const);
    await this.#keep(Object.fromEntries(noted));
    const bodies = due.map(({ name, warning, kind }) => ({
      ...{ version: 1 as const, type: "notice" as const, tenant, zone: LIMITS_ZONE, kind, channels: null },
      ...{ key: warningKey(name, warning, kind), incident: warningId(name, warning) },
    }));
    try {
      await this.#home.env.NOTICES.sendBatch(bodies.map((body) => ({ body, contentType: "json" as const })));
    } catch (error) {
      console.warn("queue refused; a warning is sent again", { tenant, error: String(error) });
    }
  }

  /** Keeps these in place of those that were known of their limits. */
  async #keep(changed: Warnings): Promise<void> {
    const kept = this.#home.keep({ ...this.#home.warnings(), ...changed });
    await Promise.all([kept, this.#plan()]);
  }

  /** Sets the alarm to what is due next; without anything it stays as it is. */
  async #plan(): Promise<void> {
    const nowMs = wallMs();
    const { readingsPerSecond, ...others } = this.#home.warnings();
    const dueAts = [readingsPerSecond, ...Object.values(others)]
      .flatMap((warning) => warning?.waiting ?? [])
      .map(({ dueAt }) => Math.max(dueAt, nowMs));
    const nextAt = Math.min(
      this.#lookAt,
      ...dueAts,
      isWarned(readingsPerSecond) ? nowMs + MINUTE_MS : Number.POSITIVE_INFINITY,
      Object.values(others).some(isWarned) ? nowMs + LOOKED_EVERY_MS : Number.POSITIVE_INFINITY,
    );
    if (Number.isFinite(nextAt)) await this.#home.setAlarm(nextAt);
  }
}
