import { env } from "cloudflare:test";
import { expect, it, vi } from "vitest";
import type { AuditEntry } from "../../schemas/http.ts";
import { problem } from "../test-support.ts";
import { answerOf, ask, named } from "./api-test-support.ts";

vi.setConfig({ testTimeout: 30_000 });

type Page = { entries: AuditEntry[]; next: string | null };

const audit = (tenant: string, query = "") => answerOf<Page>(ask(tenant, "admin", `/v1/audit${query}`));

const RULE = {
  name: "Hot",
  condition: { type: "threshold", metric: "a", above: 5 },
  severity: "warning",
};

it("[F13] who changed what, when, from where, and what was before and after", async () => {
  const headers = { ...(await named("noted", "admin", "Ada")), "cf-connecting-ip": "192.0.2.7" };
  const change = (method: string, path: string, body?: object) =>
    ask("noted", "admin", path, { method, body, headers });
  const before = Date.now();
  await answerOf(change("PUT", "/v1/tenant", { commitEveryMs: 5 }));
  await answerOf(change("PUT", "/v1/devices/d1", { name: "Pump" }));
  await answerOf(change("PUT", "/v1/devices/d1", { name: "Fan" }));
  await answerOf(change("POST", "/v1/rules", { ...RULE, id: "hot" }));
  await change("DELETE", "/v1/rules/hot");
  const { entries } = await audit("noted");
  const all = { who: "Ada", role: "admin", address: "192.0.2.7" };
  expect(entries).toMatchObject([
    { ...all, action: "DELETE", target: "/v1/rules/hot", before: { name: "Hot" } },
    { ...all, action: "POST", target: "/v1/rules/hot", before: null, after: { id: "hot", version: 1 } },
    { ...all, action: "PUT", target: "/v1/devices/d1", before: { name: "Pump" }, after: { name: "Fan" } },
    { ...all, action: "PUT", target: "/v1/devices/d1", before: null, after: { name: "Pump" } },
    {
      ...all,
      action: "PUT",
      target: "/v1/tenant",
      before: { commitEveryMs: 0 },
      after: { commitEveryMs: 5 },
    },
  ]);
  for (const { at } of entries) expect(at).toBeGreaterThanOrEqual(before);
});

it("[F13] what was refused, asked or only tried is no change", async () => {
  await problem(ask("still", "viewer", "/v1/tenant", { method: "PUT", body: {} }), 403, "forbidden");
  await problem(
    ask("still", "admin", "/v1/tenant", { method: "PUT", body: { x: 1 } }),
    400,
    "unknown_setting",
  );
  await answerOf(ask("still", "viewer", "/v1/tenant"));
  await ask("still", "operator", "/v1/rules/preview", { method: "POST", body: { rule: RULE } });
  expect((await audit("still")).entries).toEqual([]);
});

it("[F13] a secret is in no entry", async () => {
  const secret = "a secret that nobody may read";
  const target = { type: "webhook", url: "https://hooks.example.com/x", secret };
  await answerOf(
    ask("hush", "admin", "/v1/channels", { method: "POST", body: { id: "hook", name: "Hook", target } }),
  );
  const { results } = await env.CONTROL.prepare("SELECT * FROM audit WHERE tenant = 'hush'").all();
  expect(results).toHaveLength(1);
  expect(JSON.stringify(results)).not.toContain(secret);
});

it("[F13] pages, and is asked by person, address and time; another tenant's is not there", async () => {
  for (const who of ["Ada", "Bob", "Ada"]) {
    const headers = await named("paged", "admin", who);
    await answerOf(
      ask("paged", "admin", `/v1/devices/${who}`, { method: "PUT", body: { name: who }, headers }),
    );
  }
  const first = await audit("paged", "?limit=2");
  const second = await audit("paged", `?limit=2&after=${first.next}`);
  expect([...first.entries, ...second.entries].map(({ who }) => who)).toEqual(["Ada", "Bob", "Ada"]);
  expect(second.next).toBeNull();
  expect((await audit("paged", "?who=Bob")).entries).toHaveLength(1);
  expect((await audit("paged", "?target=/v1/devices/Ada")).entries).toHaveLength(2);
  expect((await audit("paged", `?to=${Date.now() - 3_600_000}`)).entries).toEqual([]);
  expect((await audit("elsewhere")).entries).toEqual([]);
  await problem(ask("paged", "operator", "/v1/audit"), 403, "forbidden");
});

it("[F13] a change whose entry cannot be written stands", async () => {
  const prepare = env.CONTROL.prepare.bind(env.CONTROL);
  const broken = {
    ...env.CONTROL,
    batch: env.CONTROL.batch.bind(env.CONTROL),
    prepare: (sql: string) => {
      if (sql.includes("INSERT INTO audit")) throw new Error("D1 is away");
      return prepare(sql);
    },
  };
  const put = ask("stands", "admin", "/v1/devices/d1", {
    method: "PUT",
    body: { name: "Pump" },
    bindings: { CONTROL: broken },
  });
  expect(await answerOf(put)).toMatchObject({ name: "Pump" });
  expect((await audit("stands")).entries).toEqual([]);
});
