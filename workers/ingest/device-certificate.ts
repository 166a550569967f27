// A request over mutual TLS → the device whose client certificate it came with, where the deployment takes them.

import { type Caller, checkTime } from "../../core/token/caller.ts";
import { type ClientCertificate, callerOfCertificate } from "../../core/token/certificate.ts";
import { authenticate } from "../authenticate.ts";
import { wallMs } from "../clock.ts";
import type { IngestEnv } from "./env.ts";

/**
 * Returns the device or gateway that sends: by its token, else by its client certificate. Neither costs a look-up.
 * @throws Problem as `authenticate` does
 */
export const authenticateSender = (request: Request, env: IngestEnv): Promise<Caller> =>
  authenticate(request, env, ["device", "gateway"], async () => callerByCertificate(request, env));

/**
 * What the edge says of a certificate is taken only where the deployment names an issuer, and never in a local run: there
 * whoever asks could say it.
 */
function callerByCertificate(
  { cf }: Request,
  { CLIENT_CERT_ISSUER, LOCAL_TENANT }: IngestEnv,
): Caller | undefined {
  if (!CLIENT_CERT_ISSUER || LOCAL_TENANT) return undefined;
  const certificate = cf?.tlsClientAuth as Partial<ClientCertificate> | undefined;
  const caller = callerOfCertificate(certificate, CLIENT_CERT_ISSUER);
  if (caller !== undefined) checkTime(caller, wallMs());
  return caller;
}
