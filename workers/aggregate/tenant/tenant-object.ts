// One tenant: its plan and settings, a small JSON state (itty-durable), asked once an hour by each device object.
import { createDurable } from "itty-durable";
import { lease, newPot, type ReadingsLease, type ReadingsPot } from "../../../core/tenant/readings-quota.ts";
import { isWarned, type LimitWarnings as Warnings } from "../../../core/tenant/warn.ts";
import { accessIdOf } from "../../../core/token/access.ts";
import { revoke } from "../../../core/token/revocation.ts";
import type { TenantAccess } from "../../../schemas/access.ts";
import type { IncidentSnapshot, Refusal } from "../../../schemas/alert.ts";
import type { ApiKey } from "../../../schemas/api-key.ts";
import {
  API_KEY_USE_NOTED_MS,
  API_KEYS_PER_TENANT_MAX,
  ISSUED_AHEAD_MS_MAX,
  REVOKED_GATEWAYS_MAX,
  REVOKED_PEOPLE_MAX,
  VOID_KEPT_MS,
} from "../../../schemas/limits.ts";
import type { BusyDevice, NoticeReceipt, TenantUse } from "../../../schemas/message.ts";
import { type SettingsChange, type TenantSettings, tenantSettings } from "../../../schemas/tenant.ts";
import type { LimitName } from "../../../schemas/tenant-limit.ts";
import type { Admission, Issuer, Revocation, TenantRevokeOrder } from "../../../schemas/token.ts";
import { wallMs } from "../../clock.ts";
import type { AggregateEnv } from "../env.ts";
import { DeviceCount } from "./device-count.ts";
import { LimitWarnings } from "./limit-warnings.ts";
import { HotDevices, ReadingsByDevice, Refusals } from "./tenant-use.ts";

/** PERSISTED: the object's one field, saved whole by itty-durable. */
interface Chosen extends SettingsChange {
  rulesVersion?: number;
  settingsVersion?: number;
  isStorageFull?: boolean;
  generation?: number;
  isEnding?: boolean;
  /** Tokens of any role that are void by their time, and gateways' by their ids: part of the settings, for devices judge by it. */
  tokens?: Revocation;
  /** Tokens of people that are void by their ids, which the api asks for. */
  people?: Revocation;
  /** The version of the settings in which `access` changed last. */
  accessVersion?: number;
  /** Machines that speak for the tenant; no part of the settings, which devices copy. */
  apiKeys?: ApiKey[];
  /** What people were told of the limits. */
  warnings?: Warnings;
}

/** What the tenant uses at the moment; not saved. */
interface Use {
  control: D1Database;
  pot: ReadingsPot | undefined;
  hot: HotDevices;
  refusals: Refusals;
  thinned: ReadingsByDevice;
  devices: DeviceCount | undefined;
  warnings: LimitWarnings;
}

interface TenantBase {
  new (
    state: DurableObjectState,
    env: unknown,
  ): {
    readonly state: DurableObjectState;
    persist(): Promise<void>;
    loadFromStorage(): Promise<void>;
  };
}

const Base = createDurable({ autoPersist: false }) as unknown as TenantBase;

/** The control object of one tenant, named `tenant/<name>`; called through `workers/tenant.ts`. */
export class TenantObject extends Base {
  declare chosen: Chosen;
  declare use: Use;

  constructor(state: DurableObjectState, env: AggregateEnv) {
    super(state, env);
    this.chosen = {};
    this.use = {
      control: env.CONTROL,
      pot: undefined,
      hot: new HotDevices(),
      refusals: new Refusals(),
      thinned: new ReadingsByDevice(),
      devices: undefined,
      warnings: new LimitWarnings({
        env,
        tenant: () => this.#tenant,
        limits: () => this.settings().limits,
        countDevices: () => this.#devices.count(),
        warnings: () => this.chosen?.warnings ?? {},
        keep: (warnings) => this.#keep({ warnings }),
        setAlarm: (atMs) => state.storage.setAlarm(atMs),
        waitUntil: (work) => state.waitUntil(work),
      }),
    };
  }

  get #tenant(): string {
    return (this.state.id.name ?? "").slice("tenant/".length);
  }

  get #devices(): DeviceCount {
    this.use.devices ??= new DeviceCount(this.use.control, this.#tenant);
    return this.use.devices;
  }

  /** What is saved: not what the tenant uses at the moment, of which an eviction forgets a few seconds. */
  getPersistable(): { chosen: Chosen } {
    return { chosen: this.chosen };
  }

  /** Returns the settings that hold: what was chosen, over the defaults. */
  settings(): TenantSettings {
    return tenantSettings.parse(this.chosen ?? {});
  }

  /**
   * Changes the settings named, of `limits` too; returns all that hold.
   * @throws ZodError for a value out of its limits; nothing changes.
   */
  async change(change: Omit<Chosen, "settingsVersion">): Promise<TenantSettings> {
    const settingsVersion = this.settings().settingsVersion + 1;
    const limits = { ...this.chosen?.limits, ...change.limits };
    const access = change.access && { accessVersion: settingsVersion, people: this.#withoutAccess() };
    const chosen = { ...this.chosen, ...change, ...access, limits, settingsVersion };
    const settings = tenantSettings.parse(chosen); // throws before anything is kept
    this.chosen = chosen;
    await this.persist();
    if (change.limits !== undefined) await this.use.warnings.lookSoon();
    return settings;
  }

  /** Raises the version of the tenant's rules. Returns the version after it. */
  async changeRules(): Promise<number> {
    const { rulesVersion } = await this.change({ rulesVersion: this.settings().rulesVersion + 1 });
    return rulesVersion;
  }

  /**
   * Gives at most `readings` of what the tenant may send a second; without a limit, all. `retryAfterMs`: when it has
   * some again, 0 when it had. `refused`: readings that the isolate refused since it asked before.
   */
  lease(readings: number, refused = 0): ReadingsLease {
    this.use.refusals.note(undefined, { quota_readings: refused });
    const { readingsPerSecond } = this.settings().limits;
    if (readingsPerSecond === null) return { readings, retryAfterMs: 0 };
    this.use.pot ??= newPot(readingsPerSecond, wallMs());
    const leased = lease(this.use.pot, readingsPerSecond, readings, wallMs());
    this.use.warnings.leased(leased.readings, refused > 0);
    return leased;
  }

  /**
   * Notes how many bytes of files the tenant has. Returns the settings when that made its storage full, or made room in
   * it; else null.
   */
  async stored(bytes: number): Promise<TenantSettings | null> {
    const { isStorageFull, limits } = this.settings();
    const isFull = limits.storageBytes !== null && bytes > limits.storageBytes;
    this.use.warnings.see("storageBytes", bytes, isFull);
    await this.use.warnings.lookSoon();
    return isFull === isStorageFull ? null : await this.change({ isStorageFull: isFull });
  }

  /** Notes what a device that sends too much says. */
  busy({ device, reportsPerSecond, refused, thinned }: BusyDevice): void {
    this.use.refusals.note(device, refused);
    this.use.thinned.note(device, thinned);
    this.use.hot.note(device, reportsPerSecond);
  }

  /** Returns who sends too much, and what was refused or thinned since the object woke. */
  used(): TenantUse {
    const { readings: thinned, byDevice: thinnedByDevice } = this.use.thinned.list();
    const told = this.use.warnings.shown();
    return { hot: this.use.hot.list(), ...this.use.refusals.list(), thinned, thinnedByDevice, ...told };
  }

  /** Notes what the tenant uses of a limit, and whether that refused something. */
  seen(name: LimitName, used: number, isRefused: boolean): void {
    this.use.warnings.see(name, used, isRefused);
  }

  /** Returns a warning about a limit as an incident; null: there is none of that id. */
  incident(id: string): IncidentSnapshot | null {
    return this.use.warnings.incident(id);
  }

  /** Confirms messages about warnings. */
  async told(receipts: NoticeReceipt[]): Promise<void> {
    await this.use.warnings.told(receipts);
  }

  /** Notes that a channel's receiver refused a message about a warning. Returns that with it, null as `incident` does. */
  async refused(incident: string, refusal: Refusal): Promise<IncidentSnapshot | null> {
    return await this.use.warnings.refused(incident, refusal);
  }

  /** Looks whether warnings are over, and sends what was not confirmed. */
  async alarm(): Promise<void> {
    await this.loadFromStorage();
    await this.use.warnings.wake();
  }

  /**
   * Counts a device that nobody knew yet, unless the tenant has as many as it may: then returns false.
   * @throws when the registry is away.
   */
  async admit(device: string): Promise<boolean> {
    const most = this.settings().limits.devices;
    if (most === null) return true;
    const isAdmitted = await this.#devices.admit(device, most);
    this.use.warnings.see("devices", this.#devices.known, !isAdmitted);
    return isAdmitted;
  }

  /** Counts a device no more, for it was deleted. */
  async release(device: string): Promise<void> {
    this.use.devices?.release(device);
    if (isWarned(this.chosen?.warnings?.devices)) await this.use.warnings.lookSoon();
  }

  /** Returns who may sign tokens for the tenant's devices beside the deployment; no part of the settings, which devices copy. */
  issuers(): Issuer[] {
    return this.chosen?.issuers ?? [];
  }

  /** Returns who of Cloudflare Access may do what; no part of the settings either. */
  access(): TenantAccess {
    const { access: rules = [], accessVersion: version = 0 } = this.chosen ?? {};
    return { rules, version };
  }

  /** Returns what is void of people once what they may by Access changes: what they have by it now, too. */
  #withoutAccess(): Revocation {
    const now = wallMs();
    const ids = [{ id: accessIdOf(this.access().version), expiresAt: now + VOID_KEPT_MS }];
    return revoke(this.chosen?.people, { ids }, now, Number.POSITIVE_INFINITY)!;
  }

  /**
   * Returns which tokens of people are void, and how many streams may be open; while the tenant is being deleted all tokens
   * that may have been issued by now.
   */
  revoked(): Admission {
    const { tokens, people, limits, isEnding = false } = this.chosen ?? {};
    const viewersMax = limits?.viewers ?? null;
    if (isEnding) return { notBeforeMs: wallMs() + ISSUED_AHEAD_MS_MAX, ids: [], viewersMax };
    return { notBeforeMs: tokens?.notBeforeMs ?? 0, ids: people?.ids ?? [], viewersMax };
  }

  /**
   * Revokes tokens of any role that were issued up to an instant, and single ones of gateways (`ids`) and of people.
   * Returns the settings after it, null when there would be too many single ones: nothing changes.
   */
  async revoke({
    people: ids = [],
    ...order
  }: TenantRevokeOrder): Promise<{ settings: TenantSettings | null }> {
    const now = wallMs();
    const tokens = revoke(this.chosen?.tokens, order, now, REVOKED_GATEWAYS_MAX);
    const people = revoke(this.chosen?.people, { ids }, now, REVOKED_PEOPLE_MAX);
    if (tokens === undefined || people === undefined) return { settings: null };
    const apiKeys = this.apiKeys().filter(({ madeAt }) => madeAt > tokens.notBeforeMs);
    return { settings: await this.change({ tokens, people, apiKeys }) };
  }

  /** Returns the tenant's API keys, the oldest first. */
  apiKeys(): ApiKey[] {
    return this.chosen?.apiKeys ?? [];
  }

  /** Keeps a new API key, and drops those that have expired. Returns false when the tenant has as many as it may. */
  async addApiKey(key: ApiKey): Promise<boolean> {
    const held = this.apiKeys().filter(({ expiresAt }) => expiresAt > wallMs());
    if (held.length >= API_KEYS_PER_TENANT_MAX) return false;
    await this.#keepApiKeys([...held, key]);
    return true;
  }

  /** Forgets an API key, where there is one of this id. */
  async dropApiKey(id: string): Promise<void> {
    await this.#keepApiKeys(this.apiKeys().filter((key) => key.id !== id));
  }

  /** Notes that an API key is used now, once an hour. */
  async useApiKey(id: string): Promise<void> {
    const now = wallMs();
    const isDue = (key: ApiKey) => key.id === id && now - (key.lastUsedAt ?? 0) >= API_KEY_USE_NOTED_MS;
    if (!this.apiKeys().some(isDue)) return;
    await this.#keepApiKeys(this.apiKeys().map((key) => (isDue(key) ? { ...key, lastUsedAt: now } : key)));
  }

  #keepApiKeys(apiKeys: ApiKey[]): Promise<void> {
    return this.#keep({ apiKeys });
  }

  /** Keeps what is no part of the settings. */
  async #keep(own: Pick<Chosen, "apiKeys" | "warnings">): Promise<void> {
    this.chosen = { ...this.chosen, ...own };
    await this.persist();
  }

  /**
   * Ends the tenant's life before `generation`: of what it chose nothing is left, and every token is void until `ended`.
   * Returns the settings after it; repeated, it changes nothing.
   */
  async end(generation: number): Promise<TenantSettings> {
    const { generation: living, rulesVersion, settingsVersion } = this.settings();
    if (living >= generation) return this.settings();
    const tokens = { notBeforeMs: wallMs(), ids: [] };
    // Versions only rise: a device that has a newer copy keeps it.
    this.chosen = { generation, isEnding: true, tokens, rulesVersion: rulesVersion + 1, settingsVersion };
    Object.assign(this.use, { pot: undefined, devices: undefined });
    return await this.change({});
  }

  /** Lets tokens that are issued from now on speak for the next life, `generation`; repeated, it changes nothing. */
  async ended(generation: number): Promise<void> {
    const settings = this.settings();
    if (!settings.isEnding || settings.generation !== generation) return;
    await this.change({ isEnding: false, tokens: { notBeforeMs: wallMs(), ids: [] } });
  }
}
