// Query parameters of the lists.
import * as z from "zod";
import { deviceName, zoneName } from "./name.ts";

const limit = z.coerce.number().int().min(1).max(1_000).default(100);
const date = z.string().regex(/^\d{4}-\d\d-\d\d$/, { error: "a date is YYYY-MM-DD" });

export const listQuery = z.object({ zone: zoneName.optional(), after: deviceName.optional(), limit });
/** `from` and `to` are UTC days, both included. */
export const archiveQuery = z.object({
  from: date.optional(),
  to: date.optional(),
  after: z.string().max(1_024).optional(),
  limit,
});
