// One device's readings of one metric, asked of its object; what it has just said it need not say again.
import type { HotReadings } from "../../schemas/message.ts";
import type { ApiEnv } from "./env.ts";

/** One device's readings of one metric, asked of its object, whose last answer is remembered. */
export class DeviceReadings {
  readonly #device: ReturnType<ApiEnv["DEVICE"]["getByName"]>;
  readonly #metric: string;
  #said: { startMs: number; endMs: number; found: HotReadings } | undefined;

  constructor(env: ApiEnv, tenant: string, device: string, metric: string) {
    this.#device = env.DEVICE.getByName(`${tenant}/${device}`);
    this.#metric = metric;
  }

  /** What the device has of `[startMs, endMs)` now; null: it never reported. */
  async ask(startMs: number, endMs: number): Promise<HotReadings | null> {
    const found = await this.#device.readings(this.#metric, startMs, endMs);
    this.#said = found !== null && found.untilMs >= endMs ? { startMs, endMs, found } : undefined;
    return found;
  }

  /** As `ask`, or from its last answer when that has all of the range. */
  async read(startMs: number, endMs: number): Promise<HotReadings | null> {
    const said = this.#said;
    if (said === undefined || startMs < said.startMs || endMs > said.endMs)
      return await this.ask(startMs, endMs);
    const { at, value } = said.found;
    const [start, end] = [firstFrom(at, startMs), firstFrom(at, endMs)];
    const thinned = said.found.thinned?.filter((counted) => counted.at >= startMs && counted.at < endMs);
    return {
      ...said.found,
      at: at.subarray(start, end),
      value: value.subarray(start, end),
      ...(thinned === undefined ? {} : { thinned }),
    };
  }
}

/** The index of the first instant at `ms` or after. */
function firstFrom(at: Float64Array, ms: number): number {
  const index = at.findIndex((instant) => instant >= ms);
  return index < 0 ? at.length : index;
}
