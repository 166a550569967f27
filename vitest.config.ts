import { cloudflareTest, readD1Migrations } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

/** Three kinds of tests: pure ones in Node, objects in workerd, and whole runs as real processes. */
export default defineConfig({
  test: {
    // The counts that .ci/run prints as its last line.
    reporters: ["default", ["json", { outputFile: "dist/test-results.json" }]],
    projects: [
      {
        test: {
          name: "unit",
          environment: "node",
          include: [
            "{core,schemas,scripts,dashboard}/**/*.test.ts",
            "test/*.test.ts",
            "test/clock/**/*.test.ts",
          ],
          maxWorkers: 2,
          // They are pure: files need no process of their own. A busy machine is no failure.
          isolate: false,
          testTimeout: 60_000,
        },
      },
      {
        plugins: [
          cloudflareTest(async () => ({
            wrangler: { configPath: "./wrangler.toml" },
            miniflare: {
              bindings: {
                CONTROL_MIGRATIONS: await readD1Migrations("./migrations/control"),
                WARM_MIGRATIONS: await readD1Migrations("./migrations/warm"),
                TOKEN_SECRET: "the secret of the object tests, long enough",
                CLOCK: "settable",
                SEAL_SPREAD_MS: "60000",
                OUTBOX_RESEND_MS: "60000",
                SEAL_FALLBACK_MS: "0",
              },
            },
          })),
        ],
        test: {
          name: "object",
          include: ["workers/**/*.test.ts"],
          // The files share two runtimes, which take seconds to start; object-setup.ts empties the storage before each.
          isolate: false,
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
          setupFiles: ["./test/object-setup.ts"],
          // A quiet machine takes a few seconds for the longest; a busy one is no failure.
          testTimeout: 60_000,
          hookTimeout: 60_000,
          // It ships ES modules under names Node takes for CommonJS.
          deps: { optimizer: { ssr: { enabled: true, include: ["itty-durable"] } } },
        },
      },
      {
        test: {
          name: "flow",
          environment: "node",
          include: ["test/{flow,fault,browser}/**/*.test.ts"],
          // Wrangler's hints about wrangler.toml, at each start of a server, would bury what a test says.
          env: { WRANGLER_LOG: "error" },
          testTimeout: 180_000,
          hookTimeout: 180_000,
          // Each is a server or two with a client, and mostly waits; after the others, which take what there is.
          maxWorkers: 4,
          // So that the files of a process can share servers (test/flow/topology.ts), and wrangler is loaded once.
          isolate: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
