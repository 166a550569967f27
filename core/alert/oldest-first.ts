// The order in which alerts are listed.
import type { Alert } from "../../schemas/alert.ts";

/** Compares two alerts by when they fired, and those of one instant by id, for `sort`. */
export const oldestFirst = (a: Alert, b: Alert) => a.firedAt - b.firedAt || (a.id < b.id ? -1 : 1);
