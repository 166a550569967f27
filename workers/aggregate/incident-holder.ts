// Who knows an incident: its zone or, of a warning about a tenant's limit, the tenant.
import { LIMITS_ZONE } from "../../schemas/limits.ts";
import type { ZoneRpc } from "../../schemas/message.ts";
import { warningsOf } from "../tenant.ts";
import type { AggregateEnv } from "./env.ts";

/** Returns the object that knows a zone's incidents, and is told what became of messages about them. */
export const holderOf = (
  env: Pick<AggregateEnv, "ZONE" | "TENANT">,
  tenant: string,
  zone: string,
): Pick<ZoneRpc, "incident" | "told" | "refused"> =>
  zone === LIMITS_ZONE ? warningsOf(env.TENANT, tenant) : env.ZONE.getByName(`${tenant}/${zone}`);
