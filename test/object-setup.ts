// Before each object test file: the tables of both databases.
import { applyD1Migrations, env } from "cloudflare:test";
import { beforeAll } from "vitest";

beforeAll(async () => {
  await applyD1Migrations(env.CONTROL, env.CONTROL_MIGRATIONS);
  await applyD1Migrations(env.WARM_0, env.WARM_MIGRATIONS);
});
