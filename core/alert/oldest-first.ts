// The order in which alerts are listed.
import type { Alert } from "../../schemas/alert.ts";

/** By when they fired; those of one instant by id. */
export const oldestFirst = (a: Alert, b: Alert) => a.firedAt - b.firedAt || (a.id < b.id ? -1 : 1);
