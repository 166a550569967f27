// Which devices a rule is about (SPEC A3).
import type { RuleScope } from "../../schemas/alert.ts";
import type { Subject } from "./state.ts";

/**
 * Whether a rule of this scope is about the device: whether all that the scope names fits. A scope that names nothing
 * fits every device.
 */
export const concerns = (scope: RuleScope, subject: Pick<Subject, "device" | "zone" | "model">): boolean =>
  (scope.device === undefined || scope.device === subject.device) &&
  (scope.zone === undefined || scope.zone === subject.zone) &&
  (scope.model === undefined || scope.model === subject.model);
