// Who is signed in by Cloudflare Access → who is calling, where the deployment and the tenant say so.
import { createRemoteJWKSet, errors, type JWTPayload, jwtVerify } from "jose";
import { accessIdOf, personOf, roleOf } from "../../core/token/access.ts";
import { expired, invalid } from "../../core/token/caller.ts";
import type { Caller } from "../../core/token/verify.ts";
import { wallMs } from "../clock.ts";
import { Problem } from "../problem.ts";
import { readAccess } from "../tenant.ts";
import { LastKnown } from "./revoked.ts";

/** What a deployment behind Cloudflare Access says: all of it, or Access is not asked. */
export interface AccessEnv {
  /** `https://<team>.cloudflareaccess.com`, who signs. */
  ACCESS_TEAM_DOMAIN?: string;
  /** The audience tag of the application, for whom it is signed. */
  ACCESS_AUD?: string;
  /** The tenant whose people they are. */
  ACCESS_TENANT?: string;
}

interface Config {
  team: string;
  audience: string;
  tenant: string;
  keys: ReturnType<typeof createRemoteJWKSet>;
}

/** The keys are asked for again after ten minutes, and when one is not among them, twice a minute at most. */
const KEYS_KNOWN_MS = 10 * 60_000;
const KEYS_ASKED_MS_MIN = 30_000;
const TEAM_ANSWERS_MS = 5_000;
/** What Access counts in is seconds, by its own clock. */
const LEEWAY_SECONDS = 5;

let config: Config | undefined;
const access = new LastKnown(readAccess);

/**
 * Returns whom Access signed in, as the tenant knows them; whether that was revoked is still to be asked. Undefined: the
 * request has no assertion, or the deployment takes none. Costs a request of the tenant's object, and one of the team's
 * keys in ten minutes.
 * @throws TokenError `token_invalid`, `token_expired`
 * @throws Problem `forbidden`: the tenant does not know them, or another site's page asks; `unavailable`, `not_configured`
 */
export async function callerByAccess(
  request: Request,
  env: AccessEnv & { TENANT: DurableObjectNamespace },
): Promise<Caller | undefined> {
  const by = configOf(env);
  const assertion = assertionOf(request);
  if (by === undefined || assertion === undefined) return undefined;
  refuseOtherSites(request);
  const { tenant } = by;
  const { iat, exp, ...claims } = await verify(assertion, by);
  const person = personOf(claims);
  if (person === undefined) throw invalid("Access names no person here; a machine has an API key");
  const { rules, version } = await access.of(env.TENANT, tenant);
  const role = roleOf(person, rules);
  if (role === undefined) {
    throw new Problem(
      "forbidden",
      `${person.email} is signed in, and ${tenant} gives them no role; an admin does, by PUT /v1/tenant {"access":[…]}`,
    );
  }
  const life = { id: accessIdOf(version), issuedAtMs: iat! * 1000, expiresAt: exp! * 1000 };
  return { tenant, role, sub: person.email, ...life };
}

/** @throws Problem `not_configured`: some of it is missing, or wrong. */
function configOf({ ACCESS_TEAM_DOMAIN, ACCESS_AUD, ACCESS_TENANT }: AccessEnv): Config | undefined {
  if (!ACCESS_TEAM_DOMAIN && !ACCESS_AUD && !ACCESS_TENANT) return undefined;
  if (!ACCESS_TEAM_DOMAIN || !ACCESS_AUD || !ACCESS_TENANT)
    throw new Problem(
      "not_configured",
      "set ACCESS_TEAM_DOMAIN, ACCESS_AUD and ACCESS_TENANT, or none of them",
    );
  const is = { team: ACCESS_TEAM_DOMAIN, audience: ACCESS_AUD, tenant: ACCESS_TENANT };
  if (config?.team === is.team && config.audience === is.audience && config.tenant === is.tenant)
    return config;
  const url = URL.canParse(is.team) ? new URL(is.team) : undefined;
  const isSafe = url?.protocol === "https:" || url?.hostname === "127.0.0.1";
  if (url?.origin !== is.team || !isSafe)
    throw new Problem("not_configured", "ACCESS_TEAM_DOMAIN is as https://<team>.cloudflareaccess.com");
  const keys = createRemoteJWKSet(new URL("/cdn-cgi/access/certs", url), {
    cacheMaxAge: KEYS_KNOWN_MS,
    cooldownDuration: KEYS_ASKED_MS_MIN,
    timeoutDuration: TEAM_ANSWERS_MS,
  });
  config = { ...is, keys };
  return config;
}

/** Access sets the header; the cookie is there where a route does not pass through it. */
function assertionOf({ headers }: Request): string | undefined {
  const header = headers.get("cf-access-jwt-assertion");
  return header ?? /(?:^|;\s*)CF_Authorization=([^;\s]+)/.exec(headers.get("cookie") ?? "")?.[1];
}

/**
 * A browser sends the cookie whoever's page asks: what changes something, and a socket, which other sites could read, has to
 * come from a page of our own; another site's page may lead here, and ask nothing.
 * @throws Problem `forbidden`
 */
function refuseOtherSites({ method, headers, url }: Request): void {
  const site = headers.get("sec-fetch-site");
  const mayRead = ["GET", "HEAD"].includes(method) && headers.get("upgrade") === null;
  const isLed = site === "none" || headers.get("sec-fetch-mode") === "navigate";
  const isOwn =
    site === null
      ? mayRead || headers.get("origin") === new URL(url).origin
      : site === "same-origin" || (mayRead && isLed);
  if (isOwn) return;
  throw new Problem(
    "forbidden",
    "with Access this has to come from a page of this origin (Origin, Sec-Fetch-Site); elsewhere send a token, or an API key",
  );
}

/** Access signs RS256; no other algorithm is looked at. */
async function verify(assertion: string, { team, audience, keys }: Config): Promise<JWTPayload> {
  try {
    const { payload } = await jwtVerify(assertion, keys, {
      issuer: team,
      audience,
      algorithms: ["RS256"],
      currentDate: new Date(wallMs()),
      clockTolerance: LEEWAY_SECONDS,
      requiredClaims: ["exp", "iat"],
    });
    return payload;
  } catch (error) {
    if (error instanceof errors.JWTExpired) throw expired(Number(error.payload.exp) * 1000);
    if (REFUSED.some((kind) => error instanceof kind))
      throw invalid("Access did not sign that for this application; load the page again");
    console.error("the keys of Access are not known", { team, error: String(error) });
    throw new Problem("unavailable", "the keys of Access cannot be had right now; send the same again");
  }
}

/** What is wrong with the assertion; anything else is wrong with who has the keys. */
const REFUSED = [
  errors.JWTInvalid,
  errors.JWTClaimValidationFailed,
  errors.JWSInvalid,
  errors.JWSSignatureVerificationFailed,
  errors.JOSEAlgNotAllowed,
  errors.JOSENotSupported,
  errors.JWKSNoMatchingKey,
  errors.JWKSMultipleMatchingKeys,
];
