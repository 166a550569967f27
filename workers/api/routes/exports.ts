// /v1/tenant/export and /v1/tenant/exports: all of the tenant as files, made by a job.
import { Hono } from "hono";
import type { ExportList } from "../../../schemas/export.ts";
import { EXPORT_KEPT_MS } from "../../../schemas/limits.ts";
import { wallMs } from "../../clock.ts";
import { createExport, exportKey, MANIFEST, readExports } from "../../exports.ts";
import { Problem } from "../../problem.ts";
import { answerFile } from "../answer-file.ts";
import { type ApiContext, noBody, requireRole } from "../caller.ts";
import type { ApiEnv } from "../env.ts";
import { fromStorage } from "../storage.ts";
import { accepted } from "./admin.ts";

export const exports = new Hono<ApiContext>();

exports.post("/export", requireRole("admin"), noBody, async (c) =>
  accepted(c, await fromStorage("D1", createExport(c.env.CONTROL, c.var.caller.tenant, wallMs()))),
);

exports.get("/exports", requireRole("admin"), async (c) => {
  const { tenant } = c.var.caller;
  const kept = await fromStorage("D1", readExports(c.env.CONTROL, tenant, wallMs()));
  const list: ExportList = {
    exports: await Promise.all(
      kept.map(async ({ id, status, error, createdAt, finishedAt }) => ({
        id,
        status,
        error,
        createdAt,
        finishedAt,
        expiresAt: createdAt + EXPORT_KEPT_MS,
        isThere: (await fromStorage("R2", c.env.COLD.head(exportKey(tenant, id, MANIFEST)))) !== null,
      })),
    ),
  };
  return c.json(list);
});

exports.get("/exports/:export", requireRole("admin"), (c) =>
  fileOf(c.env, c.var.caller.tenant, c.req.param("export"), MANIFEST, c.req.raw),
);

exports.get("/exports/:export/:file", requireRole("admin"), (c) =>
  fileOf(c.env, c.var.caller.tenant, c.req.param("export"), c.req.param("file"), c.req.raw),
);

/** A file of an export of the caller's own tenant, whole or a range of it. */
async function fileOf(
  { COLD }: ApiEnv,
  tenant: string,
  id: string,
  file: string,
  request: Request,
): Promise<Response> {
  const answer = await answerFile(COLD, exportKey(tenant, id, file), request);
  if (answer !== undefined) return answer;
  throw new Problem(
    "not_found",
    `no ${file} of an export ${id}: it is not done, past its age, or went with a deleted device; GET /v1/tenant/exports lists them`,
  );
}
