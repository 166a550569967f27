// Ids of devices → what people call them; also that there is no such device any more.
import type { DeviceEntry } from "../../schemas/query.ts";
import { ApiError } from "./api.ts";
import { useApi } from "./context.ts";
import { useAnswer } from "./use-answer.ts";

/** The name, or the id of one without a name; null: it was deleted; absent: not known (yet). */
export type DeviceNames = ReadonlyMap<string, string | null>;

const NOTHING: DeviceNames = new Map();
/** A question each: beyond these a page shows ids. */
const ASKED_MAX = 20;

export function useDeviceNames(devices: readonly string[]): DeviceNames {
  const api = useApi();
  const asked = [...new Set(devices)].slice(0, ASKED_MAX);
  const load = async (signal: AbortSignal): Promise<DeviceNames> => {
    const nameOf = async (device: string): Promise<[string, string | null]> => {
      try {
        const { name } = await api.get<DeviceEntry>(`/v1/devices/${encodeURIComponent(device)}`, signal);
        return [device, name ?? device];
      } catch (error) {
        return [device, error instanceof ApiError && error.status === 404 ? null : device];
      }
    };
    return new Map(await Promise.all(asked.map(nameOf)));
  };
  return useAnswer(asked.length === 0 ? null : asked.join(" "), load, 60_000).answer ?? NOTHING;
}
