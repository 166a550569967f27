// A watched zone → what its table shows: columns, the order of rows, counts. Follows the zone without making rows jump.
import { useCallback, useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { DeviceGlance } from "../../schemas/live.ts";
import { recall, remember } from "../base/storage.ts";
import { type Presence, presenceOf } from "../live/presence.ts";
import type { ZoneWatch } from "../live/zone-watch.ts";
import {
  type MetricColumn,
  metricColumns,
  orderRows,
  type RowFilter,
  type Sort,
  shownColumns,
} from "./table-shape.ts";

/** Rows sorted by a live value change places; more often than this nobody could read them. */
const REORDER_EVERY_MS = 2_000;
/** Rows stay put while somebody points at them, and this long after. */
const HOLD_MS = 8_000;

export interface ZoneTable {
  columns: MetricColumn[];
  order: string[];
  counts: Record<Presence, number>;
  names: NameShape;
}

/** How wide names are with what stands beside them, and whether any device has an id besides its name. */
export interface NameShape {
  widthPx: number;
  hasIds: boolean;
}

const NOTHING: ZoneTable = {
  columns: [],
  order: [],
  counts: { connected: 0, reporting: 0, quiet: 0 },
  names: { widthPx: 0, hasIds: false },
};
/** The lamp, the mark of an alert and the cell's padding. */
const BESIDE_NAME_PX = 78;
/** Beyond this a name is cut: there would be no room for a value. */
const NAME_WIDTH_PX_MAX = 560;

export function useZoneTable(watch: ZoneWatch, sort: Sort, filter: RowFilter) {
  const [table, setTable] = useState<ZoneTable>(NOTHING);
  const heldUntilMs = useRef(0);
  const wanted = useRef({ sort, filter });
  wanted.current = { sort, filter };

  const arrange = useCallback(
    (keepsOrder: boolean) => {
      const devices = watch.state.devices;
      const nowMs = watch.now();
      setTable((before) => {
        const columns = sameColumns(before.columns, metricColumns(devices.values()));
        const order = keepsOrder
          ? before.order
          : sameOrder(
              before.order,
              orderRows(devices.values(), wanted.current.sort, wanted.current.filter, nowMs),
            );
        const counts = { connected: 0, reporting: 0, quiet: 0 };
        for (const glance of devices.values()) counts[presenceOf(glance, nowMs)]++;
        return { columns, order, counts, names: nameShape(before.names, devices.values()) };
      });
    },
    [watch],
  );
  useEffect(() => {
    arrange(false);
    const unsubscribe = watch.onChange(({ reshaped }) => {
      if (reshaped) arrange(false);
    });
    const timer = setInterval(() => {
      if (!document.hidden) arrange(performance.now() < heldUntilMs.current);
    }, REORDER_EVERY_MS);
    return () => {
      unsubscribe();
      clearInterval(timer);
    };
  }, [watch, arrange]);
  // What the operator asks for is done at once, in the same frame
  useLayoutEffect(() => arrange(false), [sort, filter]);

  const hold = useCallback(() => {
    heldUntilMs.current = performance.now() + HOLD_MS;
  }, []);
  return { table, hold };
}

/** Wide enough for the longest name; it only grows, so columns do not move about. */
function nameShape(before: NameShape, devices: Iterable<DeviceGlance>): NameShape {
  let longest = "";
  let hasIds = before.hasIds;
  for (const { device, name } of devices) {
    if ((name ?? device).length > longest.length) longest = name ?? device;
    hasIds ||= name !== null && name !== device;
  }
  const widthPx = Math.min(
    NAME_WIDTH_PX_MAX,
    Math.max(before.widthPx, textWidthPx(longest) + BESIDE_NAME_PX),
  );
  return widthPx === before.widthPx && hasIds === before.hasIds ? before : { widthPx, hasIds };
}

let measuring: CanvasRenderingContext2D | null = null;

/** As the page sets a name. Letters differ in width, and the longest by their count may not be the widest: a twentieth more. */
function textWidthPx(text: string): number {
  measuring ??= document.createElement("canvas").getContext("2d")!;
  measuring.font = `600 14px ${getComputedStyle(document.body).fontFamily}`;
  return Math.ceil(measuring.measureText(text).width * 1.05);
}

/** The columns the operator chose for this zone, remembered; null: the first that fit. */
export function useChosenColumns(zone: string, columns: readonly MetricColumn[], countMax: number) {
  const storageKey = `columns.${zone}`;
  const [chosen, setChosen] = useState<string[] | null>(() => parseChosen(recall(storageKey)));
  const shown = useRef<MetricColumn[]>([]);
  shown.current = sameColumns(shown.current, shownColumns(columns, chosen, countMax));
  const choose = (metrics: string[] | null) => {
    remember(storageKey, metrics === null ? null : JSON.stringify(metrics));
    setChosen(metrics);
  };
  return { shown: shown.current, choose, isChosen: chosen !== null };
}

function parseChosen(stored: string | null): string[] | null {
  try {
    const parsed: unknown = JSON.parse(stored ?? "null");
    return Array.isArray(parsed) ? parsed.filter((metric) => typeof metric === "string") : null;
  } catch {
    return null;
  }
}

/** The same array if nothing differs, so rows are not drawn again; decimals only grow, so numbers do not twitch. */
function sameColumns(before: MetricColumn[], after: MetricColumn[]): MetricColumn[] {
  const known = new Map(before.map((column) => [column.metric, column.decimals]));
  const steady = after.map((column) => ({
    ...column,
    decimals: Math.max(column.decimals, known.get(column.metric) ?? 0),
  }));
  const isSame =
    before.length === steady.length &&
    before.every(({ metric, decimals, deviceCount }, index) => {
      const other = steady[index]!;
      return metric === other.metric && decimals === other.decimals && deviceCount === other.deviceCount;
    });
  return isSame ? before : steady;
}

function sameOrder(before: string[], after: string[]): string[] {
  return before.length === after.length && before.every((device, index) => device === after[index])
    ? before
    : after;
}
