// One device of the zone table. It listens for its own changes, so a frame redraws the rows it names and no others.
import { Component } from "preact";
import type { Alert } from "../../schemas/alert.ts";
import type { DeviceGlance } from "../../schemas/live.ts";
import { formatCount, formatValue } from "../base/format.ts";
import { deviceLink } from "../base/route.ts";
import { AlertMark } from "../device/device-alerts.tsx";
import { sparkPath } from "../live/trail.ts";
import type { ZoneWatch } from "../live/zone-watch.ts";
import { Age, PresenceLamp } from "../notices.tsx";
import type { MetricColumn } from "./table-shape.ts";

export const SPARK_WIDTH = 84;
export const SPARK_HEIGHT = 20;

interface DeviceRowProps {
  watch: ZoneWatch;
  device: string;
  /** Its place among the rows. */
  index: number;
  hasIds: boolean;
  columns: readonly MetricColumn[];
  trendMetric: string | null;
}

interface DeviceRowState {
  glance: DeviceGlance | undefined;
  alerts: readonly Alert[];
}

export class DeviceRow extends Component<DeviceRowProps, DeviceRowState> {
  override state: DeviceRowState = {
    glance: this.props.watch.row(this.props.device),
    alerts: this.props.watch.alerts(this.props.device),
  };
  /** Metrics that changed while the row was on the page: only they flash, not the whole table as it opens. */
  readonly #moved = new Set<string>();
  #unsubscribe = () => {};

  override componentDidMount(): void {
    this.#unsubscribe = this.props.watch.onRow(this.props.device, () => this.#refresh());
    this.#refresh();
  }

  override componentWillUnmount(): void {
    this.#unsubscribe();
  }

  override shouldComponentUpdate(props: DeviceRowProps, state: DeviceRowState): boolean {
    return (
      state.glance !== this.state.glance ||
      state.alerts !== this.state.alerts ||
      props.index !== this.props.index ||
      props.hasIds !== this.props.hasIds ||
      props.columns !== this.props.columns ||
      props.trendMetric !== this.props.trendMetric
    );
  }

  #refresh(): void {
    const before = this.state.glance;
    const glance = this.props.watch.row(this.props.device);
    const alerts = this.props.watch.alerts(this.props.device);
    if (glance === undefined || (before === glance && alerts === this.state.alerts)) return;
    for (const [metric, reading] of Object.entries(glance.metrics)) {
      if (before?.metrics[metric]?.value !== reading.value) this.#moved.add(metric);
    }
    this.setState({ glance, alerts });
  }

  override render(
    { watch, device, index, hasIds, columns, trendMetric }: DeviceRowProps,
    { glance, alerts }: DeviceRowState,
  ) {
    if (!glance) return null;
    const { name, model, connected, lastReceivedAt, metrics, metricsLeftOut } = glance;
    const about = [name ?? device, ...(name && name !== device ? [device] : []), ...(model ? [model] : [])];
    return (
      <tr
        data-testid="device-row"
        data-device={device}
        data-connected={connected}
        aria-rowindex={index + 2}
        style={{ "--index": index }}
      >
        <th scope="row" class="cell-name">
          <PresenceLamp watch={watch} heard={glance} />
          <span class="name-lines">
            <a href={deviceLink(device)} title={about.join(" · ")}>
              {name ?? device}
            </a>
            {hasIds && <small>{name && name !== device ? device : (model ?? "")}</small>}
          </span>
          <AlertMark alerts={alerts} />
        </th>
        <td class="cell-heard">
          <Age watch={watch} atMs={lastReceivedAt} />
        </td>
        {columns.map(({ metric, decimals }) => {
          const reading = metrics[metric];
          const isLeftOut = reading === undefined && metricsLeftOut !== undefined;
          const text = reading ? formatValue(reading.value, decimals) : isLeftOut ? "…" : "–";
          return (
            <td
              key={metric}
              class="cell-value"
              data-metric={metric}
              title={isLeftOut ? `${formatCount(metricsLeftOut)} metrics are not shown here` : undefined}
            >
              <i class="cell-label">{metric}</i>
              <span key={text} class={this.#moved.has(metric) ? "flash" : ""}>
                {text}
              </span>
            </td>
          );
        })}
        {trendMetric !== null && (
          <td class="cell-trend">
            <svg width={SPARK_WIDTH} height={SPARK_HEIGHT} aria-hidden="true">
              <path
                d={sparkPath(watch.trail(device, trendMetric)?.values ?? [], SPARK_WIDTH, SPARK_HEIGHT)}
              />
            </svg>
          </td>
        )}
      </tr>
    );
  }
}
