// What the api Worker is bound to.
import type { ChannelRpc, DeviceRpc, FleetRpc, ZoneRpc } from "../../schemas/message.ts";
import type { TokenEnv } from "../authenticate.ts";
import type { ClockEnv } from "../clock.ts";
import type { WarmEnv } from "../warm.ts";
import type { AccessEnv } from "./access.ts";

interface Bindings extends TokenEnv, ClockEnv, AccessEnv {
  DEVICE: DurableObjectNamespace<DeviceRpc & Rpc.DurableObjectBranded>;
  ZONE: DurableObjectNamespace<ZoneRpc & Rpc.DurableObjectBranded>;
  TENANT: DurableObjectNamespace;
  CHANNEL: DurableObjectNamespace<ChannelRpc & Rpc.DurableObjectBranded>;
  FLEET: DurableObjectNamespace<FleetRpc & Rpc.DurableObjectBranded>;
  CONTROL: D1Database;
  COLD: R2Bucket;
  /** Only asked how much they have to deliver; one that is not bound is not asked. */
  ROLLUPS?: Queue;
  NOTICES?: Queue;
  ROLLUPS_DEAD?: Queue;
  NOTICES_DEAD?: Queue;
  ASSETS: Fetcher;
  /** Only in a local run: the tenant whose viewer token the page is handed without a sign-in. */
  LOCAL_TENANT?: string;
}

/** The bindings and variables of the api Worker. */
export type ApiEnv = Bindings & WarmEnv;
