// Before each object test file: empty storage, and the tables of both databases. The files share a runtime, nothing else.
import { applyD1Migrations, env, reset } from "cloudflare:test";
import { beforeAll, vi } from "vitest";

beforeAll(async () => {
  vi.useRealTimers();
  await reset();
  await applyD1Migrations(env.CONTROL, env.CONTROL_MIGRATIONS);
  await applyD1Migrations(env.WARM_0, env.WARM_MIGRATIONS);
});
