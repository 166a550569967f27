import { env } from "cloudflare:test";
import { parquetReadObjects } from "hyparquet";
import { expect, it, vi } from "vitest";
import { sortedId } from "../../sorted-id.ts";
import type { AggregateEnv } from "../env.ts";
import { AUDIT_KEPT_MS, archiveAudit } from "./archive-audit.ts";

const aggregateEnv = env as unknown as AggregateEnv;
const DAY_MS = 86_400_000;
const turn = { env: aggregateEnv, cursor: "", untilMs: Number.POSITIVE_INFINITY };

async function note(tenant: string, agoMs: number, count = 1): Promise<void> {
  const insert = env.CONTROL.prepare(
    `INSERT INTO audit (tenant, id, at, who, role, address, action, target, before, after)
     VALUES (?1, ?2, ?3, 'Ada', 'admin', NULL, 'PUT', '/v1/tenant', NULL, '{"plan":"free"}')`,
  );
  const at = Date.now() - agoMs;
  await env.CONTROL.batch(
    Array.from({ length: count }, (_, i) => insert.bind(tenant, sortedId(at + i), at + i)),
  );
}

const left = async (tenant: string) =>
  (await env.CONTROL.prepare("SELECT count(*) AS n FROM audit WHERE tenant = ?")
    .bind(tenant)
    .first<number>("n"))!;

async function archived(tenant: string): Promise<Record<string, unknown>[]> {
  const { objects } = await env.COLD.list({ prefix: `audit/tenant=${tenant}/` });
  const files = objects.map(async ({ key }) => {
    const file = await (await env.COLD.get(key))!.arrayBuffer();
    return await parquetReadObjects({ file });
  });
  return (await Promise.all(files)).flat();
}

it("[F14] what is older than 400 days is in the archive, once, and no longer in D1; what is younger stays", async () => {
  for (const tenant of ["audit-a", "audit-b"]) {
    await note(tenant, AUDIT_KEPT_MS + 3 * DAY_MS, 450);
    await note(tenant, AUDIT_KEPT_MS + DAY_MS, 3);
    await note(tenant, AUDIT_KEPT_MS - DAY_MS, 2);
  }
  expect(await archiveAudit(turn)).toBe("");
  for (const tenant of ["audit-a", "audit-b"]) {
    expect(await left(tenant)).toBe(2);
    const rows = await archived(tenant);
    expect(rows).toHaveLength(453);
    expect(new Set(rows.map(({ id }) => id)).size).toBe(453);
    expect(rows[0]).toMatchObject({ who: "Ada", action: "PUT", before: null, after: '{"plan":"free"}' });
    expect(rows[0]!.at).toBeInstanceOf(Date);
  }
});

it("[F14] [F38] a step that was cut between file and deletion is done again with the same file, and keeps no tenant from theirs", async () => {
  const logged = vi.spyOn(console, "error").mockImplementation(() => undefined);
  await note("audit-c", AUDIT_KEPT_MS + DAY_MS, 5);
  const prepare = env.CONTROL.prepare.bind(env.CONTROL);
  const cut = {
    prepare: (sql: string) => {
      if (sql.startsWith("DELETE")) throw new Error("cut");
      return prepare(sql);
    },
  } as D1Database;
  const own = { ...aggregateEnv, CONTROL: cut } as AggregateEnv;
  expect(await archiveAudit({ ...turn, env: own })).toBe("");
  expect(logged).toHaveBeenCalledWith(expect.any(String), expect.objectContaining({ tenant: "audit-c" }));
  logged.mockRestore();
  expect(await left("audit-c")).toBe(5);
  await archiveAudit(turn);
  expect([await left("audit-c"), (await archived("audit-c")).length]).toEqual([0, 5]);
});
