import { expect, it } from "vitest";
import { accessRules } from "../../schemas/access.ts";
import { personOf, roleOf } from "./access.ts";

const ada = { email: "ada@acme.example", groups: ["ops", "all"] };

it("[I63] a person has the greatest role of the rules that fit, by address, domain or group", () => {
  expect(roleOf(ada, [])).toBeUndefined();
  expect(roleOf(ada, [{ email: "ADA@acme.example", role: "viewer" }])).toBe("viewer");
  expect(roleOf(ada, [{ domain: "Acme.example", role: "operator" }])).toBe("operator");
  expect(
    roleOf(ada, [
      { group: "ops", role: "admin" },
      { domain: "acme.example", role: "viewer" },
    ]),
  ).toBe("admin");
});

it("[I63] what looks like a rule's address or domain does not fit it", () => {
  const rules = accessRules.parse([
    { domain: "acme.example", role: "admin" },
    { email: "ada@acme.example", role: "admin" },
    { group: "ops", role: "admin" },
  ]);
  for (const email of ["ada@notacme.example", "ada@acme.example.evil", "ada@x.acme.example", "acme.example"])
    expect(roleOf({ email, groups: ["OPS", "op"] }, rules)).toBeUndefined();
  expect(roleOf({ email: "a@acme.example@evil.example", groups: [] }, rules)).toBeUndefined();
});

it("[I62] whom claims name: a person by an address; a service, or a name of two lines, is nobody", () => {
  expect(personOf({ email: "Ada@Acme.example", custom: { groups: ["ops", 7] } })).toEqual({
    email: "ada@acme.example",
    groups: ["ops"],
  });
  expect(personOf({ email: "a@b", groups: ["x"] })).toEqual({ email: "a@b", groups: ["x"] });
  for (const claims of [
    {},
    { common_name: "ci" },
    { email: "" },
    { email: "a@b\nc" },
    { email: 7 },
    { email: "ada" },
  ])
    expect(personOf(claims)).toBeUndefined();
});

it.each([
  [{ role: "admin" }],
  [{ email: "a@b.example", domain: "b.example", role: "admin" }],
  [{ email: "everybody", role: "viewer" }],
  [{ domain: "@acme.example", role: "viewer" }],
  [{ domain: "*", role: "viewer" }],
  [{ email: "a@b.example", role: "gateway" }],
  [{ email: "a@b.example", role: "viewer", more: 1 }],
])("[I63] %j is no rule", (rule) => {
  expect(accessRules.safeParse([rule]).success).toBe(false);
});
