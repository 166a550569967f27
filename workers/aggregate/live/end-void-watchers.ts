// What a tenant has revoked → the streams of an object that was not told of it end.
import type { Revocation } from "../../../schemas/token.ts";
import { readRevoked } from "../../tenant.ts";
import { withDeadline } from "../../with-deadline.ts";

const TENANT_ANSWERS_MS = 2_000;

/**
 * Asks the tenant's object what was revoked, and ends the streams whose tokens are void. Never fails: what is not
 * answered is asked again when leases are next renewed. Costs a request.
 */
export async function endVoidWatchers(
  tenants: DurableObjectNamespace,
  tenant: string,
  watchers: { endVoid(revoked: Revocation): void },
): Promise<void> {
  try {
    watchers.endVoid(
      await withDeadline(TENANT_ANSWERS_MS, "the tenant's object", readRevoked(tenants, tenant)),
    );
  } catch (error) {
    console.warn("not known what was revoked", { tenant, error: String(error) });
  }
}
