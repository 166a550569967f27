// A change somebody makes over the API → who made it, when, from where, and what was before and after.
import type { Context, MiddlewareHandler } from "hono";
import { SECRET_MASK } from "../../schemas/alert-http.ts";
import type { AuditEntry, AuditQuery } from "../../schemas/http.ts";
import type { Role } from "../../schemas/token.ts";
import { wallMs } from "../clock.ts";
import { sortedId } from "../sorted-id.ts";
import { type ApiContext, whoOf } from "./caller.ts";
import type { ApiEnv } from "./env.ts";
import { fromStorage } from "./storage.ts";

/** What changes nothing, or whose end is noted: a job's start says more than a thousand parts of it. */
const UNNOTED = [
  /^\/v1\/rules\/preview$/,
  /^\/v1\/admin\/import\/[^/]+\/parts\//,
  /^\/v1\/devices\/[^/]+\/seal$/,
  /^\/v1\/session$/,
];
/** By which of its headers a request says who is asking. */
const CREDENTIALS = ["authorization", "cf-access-jwt-assertion", "cookie"];
/** Most of a value that is kept, in characters: a row of D1 is a few KB. */
const KEPT_MAX = 16_384;
/** Tries to write an entry. */
const TRIES = 2;

/** Answers a request of the same caller, as the app itself would. */
type Ask = (request: Request, env: ApiEnv, context: Context["executionCtx"]) => Response | Promise<Response>;

/**
 * Notes each change that was made: two questions to D1, for what was before and to write the entry, and a row. What was
 * before is what GET answers at the same address. A change whose entry cannot be written stands, and is in the log.
 */
export function auditChanges(ask: Ask): MiddlewareHandler<ApiContext> {
  return async (c, next) => {
    const { method, url } = c.req.raw;
    const { pathname } = new URL(url);
    if (["GET", "HEAD", "OPTIONS"].includes(method) || UNNOTED.some((path) => path.test(pathname)))
      return await next();
    const before = method === "POST" ? null : await readBefore(ask, c.req.raw, c.env, c.executionCtx);
    await next();
    if (!c.res.ok || c.var.caller === undefined) return;
    const { tenant, role } = c.var.caller;
    const at = wallMs();
    await write(c.env.CONTROL, [
      tenant,
      sortedId(at),
      at,
      whoOf(c.var.caller),
      role,
      c.req.header("cf-connecting-ip") ?? null,
      method,
      targetOf(method, pathname, c.res),
      before,
      keptOf(await c.res.clone().text()),
    ]);
  };
}

/** What was made has an address of its own. */
const targetOf = (method: string, pathname: string, { headers }: Response) =>
  (method === "POST" ? headers.get("location") : null) ?? pathname;

async function readBefore(
  ask: Ask,
  request: Request,
  env: ApiEnv,
  context: Context["executionCtx"],
): Promise<string | null> {
  const { pathname, origin } = new URL(request.url);
  const headers = CREDENTIALS.flatMap((name) => {
    const value = request.headers.get(name);
    return value === null ? [] : [[name, value] as [string, string]];
  });
  if (headers.length === 0) return null; // the answer is 401
  const asked = new Request(`${origin}${pathname}`, { headers });
  const answered = await ask(asked, env, context);
  return answered.ok ? keptOf(await answered.text()) : null;
}

/** JSON without secrets; what is too long is cut and is a text then. */
function keptOf(text: string): string | null {
  if (text === "") return null;
  let masked: string;
  try {
    masked = JSON.stringify(JSON.parse(text, withoutSecret));
  } catch {
    masked = JSON.stringify(text);
  }
  return masked.length <= KEPT_MAX ? masked : JSON.stringify(`${masked.slice(0, KEPT_MAX)}…`);
}

/** A webhook's address often says a key: its origin is kept. */
function withoutSecret(key: string, value: unknown): unknown {
  if (isSecret(key, value)) return SECRET_MASK;
  const { type, url } = (value ?? {}) as { type?: unknown; url?: unknown };
  if (type !== "webhook" || typeof url !== "string" || !URL.canParse(url)) return value;
  return { ...(value as object), url: `${new URL(url).origin}/${SECRET_MASK}` };
}

const isSecret = (key: string, value: unknown): boolean =>
  typeof value === "string" &&
  /token|secret|password|apikey|routingkey|privatekey|provisioningkey/i.test(key);

async function write(control: D1Database, values: (string | number | null)[]): Promise<void> {
  for (let attempt = 1; attempt <= TRIES; attempt++) {
    try {
      await fromStorage(
        "D1",
        control
          .prepare(INSERT)
          .bind(...values)
          .run(),
      );
      return;
    } catch (error) {
      if (attempt === TRIES) console.error("a change is not in the audit", { values, error: String(error) });
    }
  }
}

/**
 * Returns a page of changes, newest first; `next` is the `after` of the page after it, null at the end. Reads rows in
 * that order until the page is full: all of the tenant's within `from` and `to` when few are asked for.
 * @throws Problem `unavailable`.
 */
export async function listAudit(
  control: D1Database,
  tenant: string,
  { from, to, who, target, after, limit }: AuditQuery,
): Promise<{ entries: AuditEntry[]; next: string | null }> {
  const select = control
    .prepare(SELECT)
    .bind(
      tenant,
      after ?? "~",
      from ?? 0,
      to ?? Number.MAX_SAFE_INTEGER,
      who ?? null,
      target ?? null,
      limit + 1,
    );
  const { results } = await fromStorage("D1", select.all<Row>());
  const entries = results.slice(0, limit).map(entryOf);
  return { entries, next: results.length > limit ? entries.at(-1)!.id : null };
}

interface Row extends Omit<AuditEntry, "before" | "after" | "role"> {
  role: Role;
  before: string | null;
  after: string | null;
}

const entryOf = ({ before, after, ...row }: Row): AuditEntry => ({
  ...row,
  before: before === null ? null : JSON.parse(before),
  after: after === null ? null : JSON.parse(after),
});

const COLUMNS = "id, at, who, role, address, action, target, before, after";
const INSERT = `INSERT INTO audit (tenant, ${COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)`;
const SELECT = `
  SELECT ${COLUMNS} FROM audit
  WHERE tenant = ?1 AND id < ?2 AND at >= ?3 AND at < ?4 AND (?5 IS NULL OR who = ?5)
    AND (?6 IS NULL OR substr(target, 1, length(?6)) = ?6)
  ORDER BY id DESC LIMIT ?7`;
