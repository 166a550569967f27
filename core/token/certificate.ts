// A client certificate, as the edge verified it → the device that it names.
import { NAME_PATTERN } from "../../schemas/limits.ts";
import { type Caller, invalid } from "./caller.ts";

/** What the edge says of a client certificate (`request.cf.tlsClientAuth`), of which everything is a text. */
export interface ClientCertificate {
  certPresented: string;
  certVerified: string;
  certRevoked: string;
  certIssuerSKI: string;
  certSubjectDNRFC2253: string;
  certNotBefore: string;
  certNotAfter: string;
}

/**
 * Returns the device that a certificate names in its common name, `<tenant>/<device>`; its first instant counts as the time
 * of issue, by which it is revoked. Undefined: none was presented.
 * @param issuerKeyId the subject key identifier (SKI) of whom the deployment trusts to name devices
 * @throws TokenError `token_invalid`: the edge did not verify it, another issued it, or it names no device.
 */
export function callerOfCertificate(
  certificate: Partial<ClientCertificate> | null | undefined,
  issuerKeyId: string,
): Caller | undefined {
  if (certificate?.certPresented !== "1") return undefined;
  const { certVerified, certRevoked, certIssuerSKI, certSubjectDNRFC2253 } = certificate;
  if (certVerified !== "SUCCESS")
    throw invalid(`the client certificate is not verified: ${shown(certVerified)}`);
  if (certRevoked !== "0") throw invalid("the client certificate was revoked by its issuer");
  if (hexOf(certIssuerSKI) === "" || hexOf(certIssuerSKI) !== hexOf(issuerKeyId))
    throw invalid("the client certificate is of an issuer that names no devices here");
  const names = commonNamesIn(certSubjectDNRFC2253 ?? "");
  const [tenant = "", device = "", ...more] = names.length === 1 ? names[0]!.split("/") : [];
  if (more.length > 0 || !NAME_PATTERN.test(tenant) || !NAME_PATTERN.test(device))
    throw invalid("the client certificate's subject has no single CN of the form tenant/device");
  const issuedAtMs = Date.parse(certificate.certNotBefore ?? "");
  const expiresAt = Date.parse(certificate.certNotAfter ?? "");
  if (Number.isNaN(issuedAtMs) || Number.isNaN(expiresAt))
    throw invalid("the client certificate does not say from when to when it holds");
  return { tenant, role: "device", device, issuedAtMs, expiresAt };
}

/** The common names of a distinguished name (RFC 2253), of which a value may have an escaped comma or plus. */
const commonNamesIn = (subject: string): string[] =>
  (subject.match(/(?:[^,+\\]|\\.)+/gs) ?? []).flatMap((part) => /^\s*CN=(.*)$/is.exec(part)?.[1] ?? []);

/** A key identifier without what its digits may be parted by. */
const hexOf = (text = "") => text.replace(/[:\s]/g, "").toUpperCase();

const SHOWN_MAX = 100;
const shown = (text = "") => text.slice(0, SHOWN_MAX);
