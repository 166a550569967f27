import { expect, it } from "vitest";
import { identityOf } from "./identity.ts";

/** A JWT as far as the page reads it. */
const token = (role: string, sub?: string) =>
  `head.${Buffer.from(JSON.stringify({ tenant: "t", role, sub, exp: 2 })).toString("base64url")}.signature`;

const bearer = { tenant: "t", expiresAt: 2_000, device: null };

it("[A47] [L15] a token says who its bearer is, also in other scripts, else the role, of which tenant, and until when", () => {
  expect(identityOf(token("operator", "Jörg 李"))).toEqual({
    ...bearer,
    role: "operator",
    name: "Jörg 李",
    mayOperate: true,
  });
  expect(identityOf(token("admin"))).toEqual({ ...bearer, role: "admin", name: "admin", mayOperate: true });
});

it("a viewer, and a token that cannot be read, may do nothing", () => {
  expect(identityOf(token("viewer", "anna")).mayOperate).toBe(false);
  for (const unreadable of [null, "", "x", "a.b.c", "a.%%%.c"]) {
    expect(identityOf(unreadable)).toMatchObject({
      role: "viewer",
      name: "viewer",
      expiresAt: null,
      mayOperate: false,
    });
  }
});
