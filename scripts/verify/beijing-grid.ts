// The CSV files of the Beijing archive → one grid of cells, read by rules of its own: what it says judges the others.
import { listTarMembers, readTarMember } from "../recordings/read-bytes.ts";

export const METRICS = "PM2.5 PM10 SO2 NO2 CO O3 TEMP PRES DEWP RAIN WSPM".split(" ");
export const HOUR_MS = 3_600_000;
export const START_MS = Date.UTC(2013, 2, 1);

/** The cell of a station, an hour since `START_MS` and a metric is at `indexOf`; NaN: the file says NA. */
export interface Grid {
  stations: string[];
  hours: number;
  cells: Float64Array;
}

export const indexOf = ({ hours }: Grid, station: number, hour: number, metric: number) =>
  (station * hours + hour) * METRICS.length + metric;

export const hourOf = (at: number) => (at - START_MS) / HOUR_MS;
export const atOf = (hour: number) => START_MS + hour * HOUR_MS;

/** The first `stationCount` stations by name, each for the first `months` months. */
export async function readGrid(path: string, stationCount: number, months: number): Promise<Grid> {
  const members = (await listTarMembers(path)).filter((name) => name.endsWith(".csv")).sort();
  const hours = hourOf(Date.UTC(2013, 2 + months, 1));
  const stations: string[] = [];
  const cells = new Float64Array(Math.min(stationCount, members.length) * hours * METRICS.length).fill(NaN);
  const grid = { stations, hours, cells };
  for (const [station, member] of members.slice(0, stationCount).entries()) {
    const chunks: Uint8Array[] = [];
    for await (const chunk of readTarMember(path, member)) chunks.push(chunk);
    const [header, ...rows] = Buffer.concat(chunks).toString().replaceAll('"', "").trim().split(/\r?\n/);
    const columns = header!.split(",");
    const places = METRICS.map((metric) => columns.indexOf(metric));
    for (const row of rows) {
      const fields = row.split(",");
      const [, year, month, day, hourOfDay] = fields.map(Number);
      const hour = hourOf(Date.UTC(year!, month! - 1, day, hourOfDay));
      if (hour >= hours) break;
      stations[station] = fields[columns.indexOf("station")]!;
      for (const [metric, place] of places.entries()) {
        const field = fields[place]!;
        if (field !== "NA") cells[indexOf(grid, station, hour, metric)] = Number(field);
      }
    }
  }
  return grid;
}
