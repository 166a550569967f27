// A device that falls silent, and whose alarm does not fire: the cron finds its block.
import { expect, it } from "vitest";
import { eachTopology } from "./topology.ts";
import { until } from "./until.ts";

const HOUR_MS = 3_600_000;
/** The end of a bucket of any length, two minutes ago at least: by now its block is due. */
const END = Math.floor((Date.now() - HOUR_MS / 30) / (6 * HOUR_MS)) * 6 * HOUR_MS;
const at = (ms: number) => ({ "telltale-clock": String(ms) });

eachTopology(
  (server) => {
    it("[X4] [D25] a block that is due reaches storage although no alarm fires for a day", async () => {
      const acme = server.tenant("sweep");
      const first = { at: END - 2_000, metrics: { temp: 21 } };
      await acme.send(first, "pump", at(END - 1_000));
      // Of the next bucket, and a moment before the first block is due: this commit cannot seal it.
      await acme.send({ at: END + 58_000, metrics: { temp: 22 } }, "pump", at(END + 59_000));
      const range = { metric: "temp", from: END - HOUR_MS, to: END, resolution: "1h" };
      expect((await acme.history("pump", range)).source).toBe("hot");
      const { points } = await until("the block in D1", async () => {
        await server.run.tick();
        const found = await acme.history("pump", range);
        return found.source === "warm" ? found : undefined;
      });
      expect(points).toMatchObject([{ startMs: END - HOUR_MS, count: 1, last: 21 }]);
      expect(
        (await acme.history("pump", { ...range, to: END + HOUR_MS, source: "hot" })).points,
      ).toHaveLength(2);
    });
  },
  { vars: { SEAL_FALLBACK_MS: String(24 * HOUR_MS), SEAL_SPREAD_MS: "0" } },
);
