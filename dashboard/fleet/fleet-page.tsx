// The fleet at a glance: its zones with their counts, and the register of devices, page by page. Opens no stream: watching costs.
import { useEffect, useState } from "preact/hooks";
import type { FleetAnswer } from "../base/answers.ts";
import { useApi } from "../base/context.ts";
import { formatCount } from "../base/format.ts";
import { zoneLink } from "../base/route.ts";
import { useAnswer } from "../base/use-answer.ts";
import { Awaited, Failure } from "../notices.tsx";
import { Shell } from "../shell.tsx";
import { compareNames } from "../zone/table-shape.ts";
import { Register } from "./register.tsx";

const REREAD_EVERY_MS = 15_000;
/** While somebody waits for a first device to appear. */
const REREAD_EMPTY_EVERY_MS = 3_000;

export function FleetPage() {
  const api = useApi();
  const [isEmpty, setEmpty] = useState(false);
  const { answer, error, reload } = useAnswer(
    "fleet",
    (signal) => api.get<FleetAnswer>("/v1/fleet", signal),
    isEmpty ? REREAD_EMPTY_EVERY_MS : REREAD_EVERY_MS,
  );
  useEffect(() => setEmpty(answer?.devices === 0), [answer]);
  return (
    <Shell crumbs={answer ? [{ label: answer.tenant }] : []}>
      <div class="page" data-testid="fleet" data-devices={answer?.devices}>
        <div class="page-head">
          <h1>Fleet</h1>
          <p class="summary">{answer && summaryOf(answer)}</p>
        </div>
        {error && <Failure error={error} onRetry={reload} />}
        {answer === null && !error && <Awaited kind="card" count={4} text="Reading which zones there are…" />}
        {answer?.devices === 0 ? <FirstSteps /> : <Zones zones={answer?.zones ?? []} />}
        {answer && answer.devices > 0 && <Register deviceCount={answer.devices} />}
      </div>
    </Shell>
  );
}

function summaryOf({ devices, zones }: FleetAnswer): string {
  const zoneWord = zones.length === 1 ? "zone" : "zones";
  return `${formatCount(devices)} ${devices === 1 ? "device" : "devices"} in ${formatCount(zones.length)} ${zoneWord}`;
}

function Zones({ zones }: { zones: FleetAnswer["zones"] }) {
  const largest = Math.max(1, ...zones.map(({ devices }) => devices));
  const sorted = [...zones].sort((a, b) => compareNames(a.zone, b.zone));
  return (
    <ul class="zones">
      {sorted.map(({ zone, devices }) => (
        <li key={zone}>
          <a class="zone-card" href={zoneLink(zone)} data-testid="zone-card" data-zone={zone}>
            <span class="zone-name">{zone}</span>
            <span class="zone-count">
              <b>{formatCount(devices)}</b> {devices === 1 ? "device" : "devices"}
            </span>
            <span class="share" aria-hidden="true">
              <i style={{ width: `${Math.max(1, (100 * devices) / largest)}%` }} />
            </span>
          </a>
        </li>
      ))}
    </ul>
  );
}

function FirstSteps() {
  const command = `curl ${location.origin}/v1/telemetry \\
  -H "Authorization: Bearer $(npm run -s token -- --device pump-1)" \\
  -H "Content-Type: application/json" \\
  -d '{"metrics":{"temperature":21.5}}'`;
  return (
    <section class="first-steps">
      <h2>No device has reported yet</h2>
      <p>Send a first reading; the device appears here by itself.</p>
      <pre>{command}</pre>
    </section>
  );
}
