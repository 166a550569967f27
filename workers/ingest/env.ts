// What the ingest Worker is bound to.
import type { DeviceRpc } from "../../schemas/message.ts";
import type { TokenEnv } from "../authenticate.ts";
import type { ClockEnv } from "../clock.ts";

/** The bindings and variables of the ingest Worker. */
export interface IngestEnv extends TokenEnv, ClockEnv {
  TENANT: DurableObjectNamespace;
  /**
   * The subject key identifier (SKI) of the authority whose client certificates name devices, as
   * `openssl x509 -noout -ext subjectKeyIdentifier` prints it; absent: certificates are not looked at.
   */
  CLIENT_CERT_ISSUER?: string;
  /** Only in a local run. */
  LOCAL_TENANT?: string;
  DEVICE: DurableObjectNamespace<DeviceRpc & Rpc.DurableObjectBranded>;
}
