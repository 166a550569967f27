// The scopes of rules → how many of the rules one device may come to have.
import type { RuleScope } from "../../schemas/alert.ts";

const FIELDS = ["device", "zone", "model"] as const;

/** The most rules that concern one device, wherever it is or may be moved, and of which it then is. */
export function mostOnOneDevice(scopes: readonly RuleScope[]): { rules: number; device: RuleScope } {
  let most = { rules: -1, device: {} as RuleScope };
  const narrow = (fitting: readonly RuleScope[], depth: number, device: RuleScope): void => {
    if (fitting.length <= most.rules) return;
    const field = FIELDS[depth];
    if (field === undefined) {
      most = { rules: fitting.length, device };
      return;
    }
    // No other value is fitted by more rules than a named one.
    const named = new Set(fitting.flatMap((scope) => scope[field] ?? []));
    for (const value of named) {
      const fits = fitting.filter((scope) => scope[field] === undefined || scope[field] === value);
      narrow(fits, depth + 1, { ...device, [field]: value });
    }
    if (named.size === 0) narrow(fitting, depth + 1, device);
  };
  narrow(scopes, 0, {});
  return most;
}
