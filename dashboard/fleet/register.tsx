// The register of devices, page by page, of all zones or one; with a search.
import { useEffect, useRef, useState } from "preact/hooks";
import type { DeviceEntry } from "../../schemas/query.ts";
import type { DeviceList } from "../base/answers.ts";
import { type ApiError, asApiError } from "../base/api.ts";
import { useApi } from "../base/context.ts";
import { formatCount, formatDay, formatInstant } from "../base/format.ts";
import { deviceLink, zoneLink } from "../base/route.ts";
import { Awaited, Failure } from "../notices.tsx";
import { DeviceSearch } from "./device-search.tsx";

const PAGE_COUNT = 100;

export function Register({ deviceCount }: { deviceCount: number }) {
  const { devices, hasMore, error, isLoading, loadMore, retry } = useRegister(deviceCount);
  return (
    <section class="register" aria-label="Devices">
      <div class="section-head">
        <h2>Devices</h2>
        <DeviceSearch />
      </div>
      {devices.length === 0 && !error && <Awaited kind="row" count={5} text="Reading the list of devices…" />}
      <div class={devices.length === 0 ? "hidden" : "register-scroll"}>
        <table>
          <thead>
            <tr>
              <th scope="col">Device</th>
              <th scope="col">Zone</th>
              <th scope="col" class="wide-only">
                Model
              </th>
              <th scope="col" class="wide-only">
                Newest reading
              </th>
            </tr>
          </thead>
          <tbody>{devices.map((entry) => registerRow(entry))}</tbody>
        </table>
      </div>
      {error && <Failure error={error} onRetry={retry} />}
      <p class="more">
        <span>
          {formatCount(devices.length)} of {formatCount(Math.max(deviceCount, devices.length))} shown
        </span>
        {hasMore && (
          <button type="button" class="button small" disabled={isLoading} onClick={loadMore}>
            Show more
          </button>
        )}
      </p>
    </section>
  );
}

function registerRow(entry: DeviceEntry) {
  const { device, zone, name, model } = entry;
  return (
    <tr key={device} data-testid="register-row" data-device={device}>
      <td>
        <a href={deviceLink(device)}>{name ?? device}</a>
        {name && name !== device && <small>{device}</small>}
      </td>
      <td>
        <a href={zoneLink(zone)}>{zone}</a>
      </td>
      <td class="wide-only">{model ?? "—"}</td>
      <td class="wide-only">{newestText(entry)}</td>
    </tr>
  );
}

/** The day, for the list is not live. */
function newestText({ newestAt, firstSeenAt }: DeviceEntry) {
  if (newestAt === null || newestAt === undefined) {
    return firstSeenAt === null ? "none found" : "did not answer";
  }
  const nowMs = Date.now();
  const [day, today] = [newestAt, nowMs].map((atMs) => formatDay(atMs, nowMs));
  return <span title={formatInstant(newestAt, nowMs)}>{day === today ? "today" : day}</span>;
}

/** The pages loaded so far; the first is read again when the fleet's size changes and nothing more was asked for. */
function useRegister(deviceCount: number) {
  const api = useApi();
  const [devices, setDevices] = useState<DeviceEntry[]>([]);
  const [next, setNext] = useState<string | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  const [isLoading, setLoading] = useState(false);
  const hasPaged = useRef(false);

  const load = async (after: string | null) => {
    setLoading(true);
    const query = new URLSearchParams({
      limit: String(PAGE_COUNT),
      newest: "true",
      ...(after === null ? {} : { after }),
    });
    try {
      const page = await api.get<DeviceList>(`/v1/devices?${query}`);
      setDevices((before) => (after === null ? page.devices : [...before, ...page.devices]));
      setNext(page.next);
      setError(null);
    } catch (thrown) {
      setError(asApiError(thrown));
    }
    setLoading(false);
  };
  // A change of the count is what asks for the page again
  useEffect(() => {
    if (!hasPaged.current) void load(null);
  }, [api, deviceCount]);

  return {
    devices,
    hasMore: next !== null,
    error,
    isLoading,
    loadMore: () => {
      hasPaged.current = true;
      void load(next);
    },
    retry: () => void load(devices.length === 0 ? null : next),
  };
}
