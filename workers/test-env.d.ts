// What object tests find in `env` of "cloudflare:test".
declare namespace Cloudflare {
  interface Env {
    DEVICE: DurableObjectNamespace<import("./aggregate/device/device-object.ts").DeviceObject>;
    ZONE: DurableObjectNamespace<import("./aggregate/zone/zone-object.ts").ZoneObject>;
    TENANT: DurableObjectNamespace;
    FLEET: DurableObjectNamespace<import("./aggregate/fleet/fleet-object.ts").FleetObject>;
    ROLLUPS: Queue;
    CONTROL: D1Database;
    WARM_0: D1Database;
    COLD: R2Bucket;
    TOKEN_SECRET: string;
    CONTROL_MIGRATIONS: import("@cloudflare/vitest-plugin").D1Migration[];
    WARM_MIGRATIONS: import("@cloudflare/vitest-plugin").D1Migration[];
  }
}
