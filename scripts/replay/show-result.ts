// The result of a replay → a table for people.
import Table from "cli-table3";
import { VERDICTS } from "../../schemas/codes.ts";
import type { ReplayResult } from "./tally.ts";

const count = (value: number) => value.toLocaleString("en-US");

function durationText(durationMs: number): string {
  if (durationMs < 60_000) return `${(durationMs / 1000).toFixed(1)} s`;
  return `${Math.floor(durationMs / 60_000)} min ${Math.round((durationMs % 60_000) / 1000)} s`;
}

export function showResult(result: ReplayResult): string {
  const { reports, readings, latencyMs, seals } = result;
  const table = new Table({
    head: ["", "count", "note"],
    colAligns: ["left", "right", "left"],
    style: { head: [], border: [], compact: true },
  });
  const row = (name: string, value: number | string, note = "") =>
    table.push([name, typeof value === "number" ? count(value) : value, note]);
  row("reports", reports.read, result.devices === 1 ? "1 device" : `${count(result.devices)} devices`);
  if (reports.empty > 0) row("  empty", reports.empty, "no metric in them: not sent");
  if (reports.unacknowledged > 0)
    row("  unacknowledged", reports.unacknowledged, "sent again by a second replay");
  row("readings", readings.acknowledged, `${count(result.readingsPerSecond)} a second`);
  for (const verdict of VERDICTS) row(`  ${verdict}`, readings[verdict]);
  if (readings.unaccounted !== 0)
    row("  unaccounted", readings.unaccounted, "acknowledged without a verdict: a fault");
  for (const [code, problems] of Object.entries(result.problems))
    row(`  ${code}`, problems, "problems listed");
  row("requests", result.requests, result.retries > 0 ? `${count(result.retries)} of them repeated` : "");
  row(
    "latency",
    `${latencyMs.p50} ms`,
    `p95 ${latencyMs.p95}, p99 ${latencyMs.p99}, max ${latencyMs.max} ms`,
  );
  const unsealed = [
    seals.notFound > 0 ? `${seals.notFound} not found` : "",
    seals.failed > 0 ? `${seals.failed} failed` : "",
  ];
  row("sealed", seals.sealed, unsealed.filter((text) => text !== "").join(", "));
  row("duration", durationText(result.durationMs), result.interrupted ? "interrupted" : "");
  return result.failure === undefined ? table.toString() : `${table.toString()}\nstopped: ${result.failure}`;
}
