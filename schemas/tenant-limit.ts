// Which of a tenant's limits people are warned of, and how near the tenant is to one.
import * as z from "zod";

export const limitName = z.enum(["devices", "storageBytes", "readingsPerSecond", "viewers"]);
export type LimitName = z.infer<typeof limitName>;

/** `near`: four fifths are used. `over`: nothing is left, or something was refused within the last minute. */
export const limitState = z.enum(["ok", "near", "over"]);
export type LimitState = z.infer<typeof limitState>;
