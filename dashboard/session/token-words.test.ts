import { expect, it } from "vitest";
import { ApiError } from "../base/api.ts";
import { refusalInWords, shapeRefusal, trimToken } from "./token-words.ts";

const token = (claims: object) =>
  `head.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.signature`;
const NOW = Date.UTC(2020, 0, 5);
const words = (claims: object, code: string, status = 401) =>
  refusalInWords(token(claims), new ApiError("said", status, code, null), NOW);

it.each(["garbage", "a.b", "a.b.c.d", "ey.%%.x", "héad.é.x", "", token({}).replace("head", "")])(
  "[L14] %j is said to be no token without asking",
  (text) => {
    expect(shapeRefusal(text)).toContain("not a token");
  },
);

it("[L14] what has the shape of a token is for the server to judge", () => {
  expect(shapeRefusal(token({ role: "viewer" }))).toBeNull();
});

it("[L14] a refused token is said to be expired since when, of another deployment, a device's, or not checked", () => {
  const threeDaysAgo = NOW / 1_000 - 3 * 86_400;
  expect(words({ exp: threeDaysAgo }, "token_expired")).toMatch(/expired on .*, 3 d ago\. Ask for a new one/);
  expect(words({}, "token_invalid")).toContain("did not sign");
  expect(words({ role: "device", device: "pump-1" }, "forbidden", 403)).toContain("device pump-1");
  expect(words({ role: "gateway" }, "forbidden", 403)).toContain("a gateway's token");
  expect(words({}, "unreachable", 0)).toContain("cannot be reached");
  expect(words({}, "not_configured", 503)).toContain("could not check the token: said");
});

it.each(["Bearer x.y.z", " x.y.z\n", '"x.y.z"', "Authorization: bearer x.y.z"])(
  "what is copied along with a token does no harm: %j",
  (text) => {
    expect(trimToken(text)).toBe("x.y.z");
  },
);
