// /v1/archive: the manifest of the files, which are the user's.
import { and, asc, eq, gt, gte, lte } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { Hono } from "hono";
import { archiveQuery } from "../../../schemas/http.ts";
import { archiveFile } from "../../../schemas/tables.ts";
import { Problem } from "../../problem.ts";
import { type ApiContext, requireRole } from "../caller.ts";
import { validate } from "../validate.ts";

export const archive = new Hono<ApiContext>();

archive.get("/", requireRole("viewer"), async (c) => {
  const { from, to, after, limit } = validate(archiveQuery, c.req.query(), "invalid_query");
  const rows = await drizzle(c.env.WARM_0)
    .select()
    .from(archiveFile)
    .where(
      and(
        eq(archiveFile.tenant, c.var.caller.tenant),
        from === undefined ? undefined : gte(archiveFile.date, from),
        to === undefined ? undefined : lte(archiveFile.date, to),
        after === undefined ? undefined : gt(archiveFile.key, after),
      ),
    )
    .orderBy(asc(archiveFile.key))
    .limit(limit + 1);
  const files = rows.slice(0, limit).map(({ key, date, fromMs, toMs, rows, bytes, createdAt }) => ({
    key,
    kind: "raw",
    date,
    fromMs,
    toMs,
    rows,
    bytes,
    createdAt,
  }));
  return c.json({ files, next: rows.length > limit ? files.at(-1)!.key : null });
});

/** One file, whole or a range of it: what the manifest names, of the caller's own tenant. */
archive.get("/:key{.+}", requireRole("viewer"), async (c) => {
  const key = c.req.param("key");
  const { tenant } = c.var.caller;
  const noSuchFile = new Problem("not_found", `no file ${key} in the archive`);
  const rows = await drizzle(c.env.WARM_0)
    .select({ key: archiveFile.key })
    .from(archiveFile)
    .where(and(eq(archiveFile.tenant, tenant), eq(archiveFile.key, key)))
    .limit(1);
  if (rows.length === 0) throw noSuchFile;
  const object = await c.env.COLD.get(key, { range: c.req.raw.headers });
  if (object === null) throw noSuchFile;
  const headers = new Headers({
    "content-type": "application/vnd.apache.parquet",
    "accept-ranges": "bytes",
    etag: object.httpEtag,
  });
  if (!c.req.header("range")) return new Response(object.body, { headers });
  const range = object.range as { offset?: number; length?: number; suffix?: number };
  const length = range.length ?? range.suffix ?? object.size - (range.offset ?? 0);
  const offset = range.offset ?? object.size - length;
  headers.set("content-range", `bytes ${offset}-${offset + length - 1}/${object.size}`);
  return new Response(object.body, { status: 206, headers });
});
