// Who of the people that Cloudflare Access lets in may do what.
import * as z from "zod";
import { ACCESS_RULES_MAX } from "./limits.ts";
import { label } from "./name.ts";

const accessRole = z.enum(["viewer", "operator", "admin"]);

const whom = {
  /** One person, in any case. */
  email: z.email().max(254),
  /** All whose address ends in it. */
  domain: z
    .string()
    .max(253)
    .regex(/^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$/, { error: "a domain is as example.com" }),
  /** All of a group, as the identity provider names it in the claim `groups`. */
  group: label(200),
};

/** PERSISTED with the tenant: people, by exactly one of `email`, `domain` and `group`, and their role. */
export const accessRule = z
  .strictObject({ ...whom, role: accessRole })
  .partial({ email: true, domain: true, group: true })
  .refine(
    ({ email, domain, group }) => [email, domain, group].filter((by) => by !== undefined).length === 1,
    {
      error: "a rule says one of email, domain and group",
    },
  );
export type AccessRule = z.infer<typeof accessRule>;

/** Of those that fit a person the one with the greatest role counts. */
export const accessRules = z.array(accessRule).max(ACCESS_RULES_MAX);

/** What a tenant's object says of it. `version` rises with each change. */
export interface TenantAccess {
  rules: AccessRule[];
  version: number;
}
