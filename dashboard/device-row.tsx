// One device of the zone table. It listens for its own changes, so a frame redraws the rows it names and no others.
import { Component } from "preact";
import type { Alert } from "../schemas/alert.ts";
import type { DeviceGlance } from "../schemas/live.ts";
import { AlertMark } from "./device-alerts.tsx";
import { formatValue } from "./format.ts";
import { Age, PresenceLamp } from "./notices.tsx";
import { deviceLink } from "./route.ts";
import type { MetricColumn } from "./table-shape.ts";
import { sparkPath } from "./trail.ts";
import type { ZoneWatch } from "./zone-watch.ts";

export const SPARK_WIDTH = 84;
export const SPARK_HEIGHT = 20;

interface DeviceRowProps {
  watch: ZoneWatch;
  device: string;
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
    { watch, device, columns, trendMetric }: DeviceRowProps,
    { glance, alerts }: DeviceRowState,
  ) {
    if (!glance) return null;
    const { name, model, connected, lastReceivedAt, metrics } = glance;
    return (
      <tr data-testid="device-row" data-device={device} data-connected={connected}>
        <th scope="row" class="cell-name">
          <PresenceLamp watch={watch} connected={connected} lastReceivedAt={lastReceivedAt} />
          <a href={deviceLink(device)} title={[device, model].filter(Boolean).join(" · ")}>
            {name ?? device}
          </a>
          {name && name !== device && <small>{device}</small>}
          <AlertMark alerts={alerts} />
        </th>
        <td class="cell-heard">
          <Age watch={watch} lastReceivedAt={lastReceivedAt} />
        </td>
        {columns.map(({ metric, decimals }) => {
          const reading = metrics[metric];
          const text = reading ? formatValue(reading.value, decimals) : "–";
          return (
            <td key={metric} class="cell-value" data-metric={metric}>
              <i class="cell-label">{metric}</i>
              <span key={text} class={this.#moved.has(metric) ? "flash" : ""}>
                {text}
              </span>
            </td>
          );
        })}
        <td class="cell-trend">
          {trendMetric !== null && (
            <svg width={SPARK_WIDTH} height={SPARK_HEIGHT} aria-hidden="true">
              <path
                d={sparkPath(watch.trail(device, trendMetric)?.values ?? [], SPARK_WIDTH, SPARK_HEIGHT)}
              />
            </svg>
          )}
        </td>
      </tr>
    );
  }
}
