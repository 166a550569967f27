// A tenant's own issuer → what verifies its tokens, asked of the tenant's object once a minute at most.
import { invalid } from "../core/token/caller.ts";
import { issuerVerifier, type TokenVerifier } from "../core/token/verify.ts";
import type { Issuer } from "../schemas/token.ts";
import { wallMs } from "./clock.ts";
import { Problem } from "./problem.ts";
import { readIssuers } from "./tenant.ts";
import { withDeadline } from "./with-deadline.ts";

/** For how long a tenant's keys are taken as they were: so long an issuer that is taken away still lets devices in. */
const KNOWN_MS = 60_000;
const TENANT_ANSWERS_MS = 2_000;
/** Tenants remembered, emptied when full. */
const TENANTS_MAX = 1_000;

interface Known {
  askedAt: number;
  issuers: Promise<Map<string, { keys: string; verifier: TokenVerifier }>>;
}

const known = new Map<string, Known>();

/**
 * Returns what verifies the tokens of a tenant's issuer. Costs a request of the tenant's object a minute, of each tenant whose
 * tokens come by here and are not signed by the deployment; none for the deployment's own.
 * @throws TokenError `token_invalid`: the tenant names no such issuer.
 * @throws Problem `unavailable`: the tenant's object is away.
 */
export async function verifierOf(
  tenants: DurableObjectNamespace,
  tenant: string,
  issuer: string,
): Promise<TokenVerifier> {
  const now = wallMs();
  let entry = known.get(tenant);
  if (entry === undefined || now - entry.askedAt >= KNOWN_MS) {
    entry = { askedAt: now, issuers: ask(tenants, tenant, entry) };
    if (known.size >= TENANTS_MAX) known.clear();
    known.set(tenant, entry);
  }
  let issuers: Awaited<Known["issuers"]>;
  try {
    issuers = await entry.issuers;
  } catch (error) {
    if (known.get(tenant) === entry) known.delete(tenant); // the next request asks again
    console.error("the keys of a tenant are not known", { tenant, error: String(error) });
    throw new Problem("unavailable", `the keys of ${tenant} cannot be had right now; send the same again`);
  }
  const found = issuers.get(issuer);
  if (found !== undefined) return found.verifier;
  throw invalid(
    `the token is signed by ${JSON.stringify(issuer.slice(0, SHOWN_MAX))}, which tenant ${tenant} does not name among its issuers`,
  );
}

const SHOWN_MAX = 200;

/** Keys that are what they were keep their verifier, and with it the tokens it knows. */
async function ask(
  tenants: DurableObjectNamespace,
  tenant: string,
  before: Known | undefined,
): Known["issuers"] {
  const asked = withDeadline(TENANT_ANSWERS_MS, "the tenant's object", readIssuers(tenants, tenant));
  const [issuers, old] = await Promise.all([asked, before?.issuers.catch(() => undefined)]);
  return new Map(
    issuers.map((one: Issuer) => {
      const keys = JSON.stringify(one);
      const same = old?.get(one.issuer);
      return [one.issuer, same?.keys === keys ? same : { keys, verifier: issuerVerifier(tenant, one) }];
    }),
  );
}
