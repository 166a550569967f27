// One tenant: its plan and settings, a small JSON state (itty-durable), asked once an hour by each device object.
import { createDurable } from "itty-durable";
import { type TenantSettings, tenantSettings } from "../../schemas/tenant.ts";

/** PERSISTED: the object's fields, saved whole by itty-durable. */
interface TenantBase {
  new (state: DurableObjectState, env: unknown): { persist(): Promise<void> };
}

const Base = createDurable({ autoPersist: false }) as unknown as TenantBase;

export class TenantObject extends Base {
  declare chosen: Partial<TenantSettings>;

  constructor(state: DurableObjectState, env: unknown) {
    super(state, env);
    this.chosen = {};
  }

  /** What holds: what was chosen, over the defaults. */
  settings(): TenantSettings {
    return tenantSettings.parse(this.chosen ?? {});
  }

  /** Chooses; keys not named stay. @throws ZodError for a value out of its limits. */
  async change(change: Partial<TenantSettings>): Promise<TenantSettings> {
    const chosen = { ...this.chosen, ...change };
    const settings = tenantSettings.parse(chosen); // throws before anything is kept
    this.chosen = chosen;
    await this.persist();
    return settings;
  }

  /** The rules changed: gives the version that holds from now on. */
  async changeRules(): Promise<number> {
    const { rulesVersion } = await this.change({ rulesVersion: this.settings().rulesVersion + 1 });
    return rulesVersion;
  }
}
