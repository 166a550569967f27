// What the tenant has revoked ↔ a person's token: asked at each request, so that a revocation holds from the next one on.
import { isRevoked } from "../../core/token/revocation.ts";
import type { Caller } from "../../core/token/verify.ts";
import type { Admission, Revocation } from "../../schemas/token.ts";
import { wallMs } from "../clock.ts";
import { Problem, revokedProblem } from "../problem.ts";
import { readRevoked } from "../tenant.ts";
import { withDeadline } from "../with-deadline.ts";

const TENANT_ANSWERS_MS = 2_000;
/** For how long what a tenant's object said last stands in for an answer while it is away. */
const KNOWN_MS = 10 * 60_000;
/** Tenants remembered, emptied when full. */
const TENANTS_MAX = 1_000;

const known = new Map<string, { revoked: Revocation; askedAt: number }>();

/**
 * Refuses a token that its tenant has revoked, and returns what else the tenant's object says of who may come in. Costs
 * a request of the tenant's object at each request of the api: $0.15 a million. While that object is away, what it revoked
 * within the last ten minutes stands, and nothing else is known; of a tenant that this isolate never asked for, nobody
 * is let in.
 * @throws Problem `token_revoked`, `unavailable`
 */
export async function refuseRevoked(tenants: DurableObjectNamespace, caller: Caller): Promise<Admission> {
  const admission = await admissionBy(tenants, caller.tenant);
  if (isRevoked(caller, admission)) throw revokedProblem();
  return admission;
}

async function admissionBy(tenants: DurableObjectNamespace, tenant: string): Promise<Admission> {
  const askedAt = wallMs();
  try {
    const asked = readRevoked(tenants, tenant);
    const revoked = await withDeadline(TENANT_ANSWERS_MS, "the tenant's object", asked);
    if (known.size >= TENANTS_MAX) known.clear();
    known.set(tenant, { revoked, askedAt });
    return revoked;
  } catch (error) {
    console.error("not known what was revoked", { tenant, error: String(error) });
    const last = known.get(tenant);
    if (last !== undefined && askedAt - last.askedAt < KNOWN_MS) return { ...last.revoked, viewersMax: null };
    throw new Problem(
      "unavailable",
      "whether the token was revoked is not known right now; ask the same again",
    );
  }
}
