// What the tenant has revoked ↔ a person's token: asked at each request, so that a revocation holds from the next one on.
import { isRevoked } from "../../core/token/revocation.ts";
import type { Caller } from "../../core/token/verify.ts";
import { wallMs } from "../clock.ts";
import { Problem, revokedProblem } from "../problem.ts";
import { readRevoked } from "../tenant.ts";
import { withDeadline } from "../with-deadline.ts";

const TENANT_ANSWERS_MS = 2_000;
/** For how long what a tenant's object said last stands in for an answer while it is away. */
const KNOWN_MS = 10 * 60_000;
/** Tenants remembered, emptied when full. */
const TENANTS_MAX = 1_000;

/** What a tenant's object is asked at each request: who may still do what. */
export class LastKnown<T> {
  readonly #ask: (tenants: DurableObjectNamespace, tenant: string) => Promise<T>;
  readonly #known = new Map<string, { answer: T; askedAt: number }>();

  constructor(ask: (tenants: DurableObjectNamespace, tenant: string) => Promise<T>) {
    this.#ask = ask;
  }

  /**
   * Returns what the tenant's object says, and while it is away what it said within the last ten minutes.
   * @throws Problem `unavailable`: it is away, and this isolate never asked it, or not of late.
   */
  async of(tenants: DurableObjectNamespace, tenant: string): Promise<T> {
    const askedAt = wallMs();
    try {
      const asked = this.#ask(tenants, tenant);
      const answer = await withDeadline(TENANT_ANSWERS_MS, "the tenant's object", asked);
      if (this.#known.size >= TENANTS_MAX) this.#known.clear();
      this.#known.set(tenant, { answer, askedAt });
      return answer;
    } catch (error) {
      console.error("not known what was revoked", { tenant, error: String(error) });
      const last = this.#known.get(tenant);
      if (last !== undefined && askedAt - last.askedAt < KNOWN_MS) return last.answer;
      throw new Problem(
        "unavailable",
        "whether the token was revoked is not known right now; ask the same again",
      );
    }
  }
}

const revoked = new LastKnown(readRevoked);

/**
 * Refuses a token that its tenant has revoked. Costs a request of the tenant's object at each request of the api: $0.15 a
 * million.
 * @throws Problem `token_revoked`, `unavailable`
 */
export async function refuseRevoked(tenants: DurableObjectNamespace, caller: Caller): Promise<void> {
  if (isRevoked(caller, await revoked.of(tenants, caller.tenant))) throw revokedProblem();
}
