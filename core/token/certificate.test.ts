import { expect, it } from "vitest";
import { type ClientCertificate, callerOfCertificate } from "./certificate.ts";

const SKI = "BB:AF:7E:02:3D:FA:A6:F1:3C:84:8E:AD:EE:38:98:EC:D9:32:32:D4";
const good: ClientCertificate = {
  certPresented: "1",
  certVerified: "SUCCESS",
  certRevoked: "0",
  certIssuerSKI: SKI,
  certSubjectDNRFC2253: "CN=acme/pump-1,OU=Pumps,O=Acme\\, Inc.,C=US",
  certNotBefore: "Dec 22 19:39:00 2018 GMT",
  certNotAfter: "Dec 22 19:39:00 2028 GMT",
};

it("[I68] a verified certificate of the named issuer is the device of its common name, while it holds", () => {
  const caller = {
    tenant: "acme",
    role: "device",
    device: "pump-1",
    issuedAtMs: Date.UTC(2018, 11, 22, 19, 39),
    expiresAt: Date.UTC(2028, 11, 22, 19, 39),
  };
  expect(callerOfCertificate(good, SKI)).toEqual(caller);
  expect(callerOfCertificate(good, SKI.replaceAll(":", "").toLowerCase())).toEqual(caller);
});

it("[I68] no certificate is no caller", () => {
  for (const none of [undefined, null, {}, { certPresented: "0", certVerified: "NONE" }])
    expect(callerOfCertificate(none, SKI)).toBeUndefined();
});

it.each<[what: string, wrong: Partial<Record<keyof ClientCertificate, string | undefined>>]>([
  ["not verified", { certVerified: "FAILED:self signed certificate" }],
  ["expired", { certVerified: "FAILED:certificate has expired" }],
  ["of no verdict", { certVerified: undefined }],
  ["verified in another case", { certVerified: "success" }],
  ["revoked", { certRevoked: "1" }],
  ["not known whether revoked", { certRevoked: undefined }],
  ["another issuer's", { certIssuerSKI: SKI.replace("BB", "BC") }],
  ["no issuer's", { certIssuerSKI: "" }],
  ["without a common name", { certSubjectDNRFC2253: "O=acme/pump-1" }],
  ["with a subject that has one in a value", { certSubjectDNRFC2253: "O=x\\,CN=acme/pump-1,C=US" }],
  ["with one after a plus in a value", { certSubjectDNRFC2253: "O=x\\+CN=acme/pump-1" }],
  ["with two common names", { certSubjectDNRFC2253: "CN=acme/pump-1,CN=acme/pump-2" }],
  ["with two of one part", { certSubjectDNRFC2253: "CN=acme/pump-1+CN=acme/pump-2" }],
  ["without a tenant", { certSubjectDNRFC2253: "CN=pump-1" }],
  ["with a path", { certSubjectDNRFC2253: "CN=acme/pump-1/x" }],
  ["with an empty device", { certSubjectDNRFC2253: "CN=acme/" }],
  ["with an escaped name", { certSubjectDNRFC2253: "CN=acme/pump\\,1" }],
  ["with a quoted name", { certSubjectDNRFC2253: 'CN="acme/pump-1"' }],
  ["without its time", { certNotBefore: "", certNotAfter: "" }],
])("[I68] one that is %s is refused", (_what, wrong) => {
  expect(() => callerOfCertificate({ ...good, ...wrong } as ClientCertificate, SKI)).toThrow(
    expect.objectContaining({ code: "token_invalid" }),
  );
});

it("[I68] an issuer that is not named lets no certificate in", () => {
  expect(() => callerOfCertificate({ ...good, certIssuerSKI: "" }, "")).toThrow(/issuer/);
  expect(() => callerOfCertificate({ ...good, certIssuerSKI: "::" }, " : ")).toThrow(/issuer/);
});
