// What the ingest Worker is bound to.
import type { DeviceRpc } from "../../schemas/message.ts";
import type { TokenEnv } from "../authenticate.ts";
import type { ClockEnv } from "../clock.ts";

/** The bindings and variables of the ingest Worker. */
export interface IngestEnv extends TokenEnv, ClockEnv {
  TENANT: DurableObjectNamespace;
  DEVICE: DurableObjectNamespace<DeviceRpc & Rpc.DurableObjectBranded>;
}
