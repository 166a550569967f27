// /v1/archive: the manifest of the files, which are the user's.
import { and, asc, eq, gt, gte, isNull, lte } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { Hono } from "hono";
import { compare } from "../../../core/archive/raw-rows.ts";
import { archiveQuery } from "../../../schemas/http.ts";
import { archiveFile } from "../../../schemas/tables.ts";
import { Problem } from "../../problem.ts";
import { warmsOf } from "../../warm.ts";
import { answerFile } from "../answer-file.ts";
import { type ApiContext, requireRole } from "../caller.ts";
import { fromStorage } from "../storage.ts";

export const archive = new Hono<ApiContext>();

const LISTED = {
  key: archiveFile.key,
  kind: archiveFile.kind,
  date: archiveFile.date,
  fromMs: archiveFile.fromMs,
  toMs: archiveFile.toMs,
  rows: archiveFile.rows,
  bytes: archiveFile.bytes,
  createdAt: archiveFile.createdAt,
};

/** What the archive consists of now, by key: files of all warm databases, without those that others have replaced. */
archive.get("/", requireRole("viewer", archiveQuery), async (c) => {
  const { from, to, after, limit } = c.var.query;
  const page = (database: D1Database) =>
    drizzle(database)
      .select(LISTED)
      .from(archiveFile)
      .where(
        and(
          eq(archiveFile.tenant, c.var.caller.tenant),
          isNull(archiveFile.replacedAt),
          from === undefined ? undefined : gte(archiveFile.date, from),
          to === undefined ? undefined : lte(archiveFile.date, to),
          after === undefined ? undefined : gt(archiveFile.key, after),
        ),
      )
      .orderBy(asc(archiveFile.key))
      .limit(limit + 1);
  const pages = await Promise.all(warmsOf(c.env).map((database) => fromStorage("D1", page(database))));
  const all = pages.flat().sort((a, b) => compare(a.key, b.key));
  const files = all.slice(0, limit);
  return c.json({ files, next: all.length > limit ? files.at(-1)!.key : null });
});

/** One file, whole or a range of it: what a manifest names, of the caller's own tenant; a replaced one until it is deleted. */
archive.get("/:key{.+}", requireRole("viewer"), async (c) => {
  const key = c.req.param("key");
  const { tenant } = c.var.caller;
  const noSuchFile = new Problem("not_found", `no file ${key} in the archive`);
  const named = await Promise.all(
    warmsOf(c.env).map((database) =>
      fromStorage(
        "D1",
        drizzle(database)
          .select({ key: archiveFile.key })
          .from(archiveFile)
          .where(and(eq(archiveFile.tenant, tenant), eq(archiveFile.key, key)))
          .limit(1),
      ),
    ),
  );
  if (named.flat().length === 0) throw noSuchFile;
  return (await answerFile(c.env.COLD, key, c.req.raw)) ?? noSuchFile.toResponse();
});
