// The files a tenant has, and how many it may have → its devices are told when it has too many, and when it has room again.
import { wallMs } from "../../clock.ts";
import { noteSettings } from "../../push-rules.ts";
import { readStoredBytes } from "../../read-stored-bytes.ts";
import { tellStored } from "../../tenant.ts";
import { withDeadline } from "../../with-deadline.ts";
import type { Turn } from "./chores.ts";

const STORAGE_ANSWERS_MS = 60_000;

/**
 * Looks at one tenant after another, in one pass. Returns the tenant last looked at; "" at the end. Costs a request to
 * the tenant's object and a row read for each of its files. A tenant that cannot be looked at is logged and left to
 * the next pass.
 * @throws when the registry does not answer.
 */
export async function storageQuota({ env, cursor, untilMs }: Turn): Promise<string> {
  for (let tenant = cursor; ; ) {
    if (wallMs() >= untilMs) return tenant;
    const next = env.CONTROL.prepare(NEXT_TENANT).bind(tenant).first<string>("tenant");
    const found = await withDeadline(STORAGE_ANSWERS_MS, "D1", next);
    if (found === null) return "";
    tenant = found;
    try {
      const bytes = await withDeadline(STORAGE_ANSWERS_MS, "D1", readStoredBytes(env, tenant));
      const changed = await withDeadline(
        STORAGE_ANSWERS_MS,
        "the tenant",
        tellStored(env.TENANT, tenant, bytes),
      );
      if (changed !== undefined) await noteSettings(env.CONTROL, tenant, changed, wallMs());
    } catch (error) {
      console.error("a tenant's storage was not looked at", { tenant, error: String(error) });
    }
  }
}

const NEXT_TENANT = "SELECT min(tenant) AS tenant FROM device WHERE tenant > ?1";
