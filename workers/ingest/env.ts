// What the ingest Worker is bound to.
import type { DeviceRpc } from "../../schemas/message.ts";
import type { TokenEnv } from "../authenticate.ts";
import type { ClockEnv } from "../clock.ts";

export interface IngestEnv extends TokenEnv, ClockEnv {
  DEVICE: DurableObjectNamespace<DeviceRpc & Rpc.DurableObjectBranded>;
}
