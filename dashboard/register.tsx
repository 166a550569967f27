// The register of devices, page by page, of all zones or one; with a way to open a device by its name.
import { useEffect, useRef, useState } from "preact/hooks";
import type { DeviceEntry } from "../schemas/query.ts";
import type { DeviceList } from "./answers.ts";
import { type ApiError, asApiError } from "./api.ts";
import { useApi } from "./context.ts";
import { formatCount, formatInstant } from "./format.ts";
import { Failure } from "./notices.tsx";
import { deviceLink, zoneLink } from "./route.ts";

const PAGE_COUNT = 100;

export function Register({ deviceCount }: { deviceCount: number }) {
  const { devices, hasMore, error, isLoading, loadMore, retry } = useRegister(deviceCount);
  return (
    <section class="register" aria-label="Devices">
      <div class="section-head">
        <h2>Devices</h2>
        <OpenByName />
      </div>
      <div class="register-scroll">
        <table>
          <thead>
            <tr>
              <th scope="col">Device</th>
              <th scope="col">Zone</th>
              <th scope="col" class="wide-only">
                Model
              </th>
              <th scope="col" class="wide-only">
                First seen
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

function registerRow({ device, zone, name, model, firstSeenAt }: DeviceEntry) {
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
      <td class="wide-only">{firstSeenAt === null ? "never reported" : formatInstant(firstSeenAt)}</td>
    </tr>
  );
}

function OpenByName() {
  const [name, setName] = useState("");
  return (
    <form
      class="open-by-name"
      onSubmit={(event) => {
        event.preventDefault();
        if (name.trim()) location.hash = deviceLink(name.trim());
      }}
    >
      <input
        type="search"
        placeholder="Open a device by id"
        aria-label="Open a device by id"
        autocomplete="off"
        spellcheck={false}
        value={name}
        onInput={(event) => setName(event.currentTarget.value)}
      />
    </form>
  );
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
    const query = new URLSearchParams({ limit: String(PAGE_COUNT), ...(after === null ? {} : { after }) });
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
