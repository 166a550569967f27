// What the tenant has revoked ↔ a person's token: asked at each request, so that a revocation holds from the next one on.
import { isRevoked } from "../../core/token/revocation.ts";
import type { Caller } from "../../core/token/verify.ts";
import type { Admission } from "../../schemas/token.ts";
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

  readonly #standIn: (last: T) => T;

  /** `standIn`: what of its last answer holds while it is away. */
  constructor(
    ask: (tenants: DurableObjectNamespace, tenant: string) => Promise<T>,
    standIn: (last: T) => T = (last) => last,
  ) {
    this.#ask = ask;
    this.#standIn = standIn;
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
      if (last !== undefined && askedAt - last.askedAt < KNOWN_MS) return this.#standIn(last.answer);
      throw new Problem(
        "unavailable",
        "whether the token was revoked is not known right now; ask the same again",
      );
    }
  }
}

/** A limit is a courtesy: while nobody knows how many there are, nobody is refused by it (F10). */
const revoked = new LastKnown(readRevoked, (last) => ({ ...last, viewersMax: null }));

/**
 * Refuses a token that its tenant has revoked, and returns what else the tenant's object says of who may come in. Costs
 * a request of the tenant's object at each request of the api: $0.15 a million.
 * @throws Problem `token_revoked`, `unavailable`
 */
export async function refuseRevoked(tenants: DurableObjectNamespace, caller: Caller): Promise<Admission> {
  const admission = await revoked.of(tenants, caller.tenant);
  if (isRevoked(caller, admission)) throw revokedProblem();
  return admission;
}
