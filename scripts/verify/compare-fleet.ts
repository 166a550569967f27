// What the API answers of the whole fleet and of its zone ↔ the stations' cells, hour by hour.
import type { FleetHistoryAnswer } from "../../schemas/query.ts";
import type { Agreement } from "./agreement.ts";
import { atOf, type Grid, indexOf, METRICS } from "./beijing-grid.ts";
import { compareWindows, type WINDOW_HOURS } from "./compare-windows.ts";
import type { Operator } from "./operator.ts";

/** The zone of a device of which nobody said otherwise holds the whole fleet here. */
const PATHS = ["/v1/fleet/history", "/v1/zones/default/history"];

export async function compareFleet(
  operator: Operator,
  grid: Grid,
  resolution: keyof typeof WINDOW_HOURS,
  agreement: Agreement,
): Promise<void> {
  for (const path of PATHS) {
    for (const [m, metric] of METRICS.entries()) {
      const name = `${path} ${metric}`;
      const cellsAt = (hour: number) =>
        grid.stations.map((_, station) => grid.cells[indexOf(grid, station, hour, m)]!);
      const figures = ["count", "min", "max", "sum", "mean", "devices"] as const;
      const series = { name, hours: grid.hours, resolution, figures, cellsAt };
      await compareWindows(series, agreement, async (fromHour, toHour) => {
        const range = { from: atOf(fromHour), to: atOf(toHour) };
        const answer = await operator.getJson<FleetHistoryAnswer>(path, { metric, resolution, ...range });
        agreement.compare(() => `${name} dirty hours`, 0, answer.dirtyHours);
        agreement.compare(() => `${name} missing devices`, 0, answer.missing.length);
        return answer.points;
      });
    }
  }
}
