// The address's fragment → which page is asked for, and back.

export type Route =
  | { page: "fleet" }
  | { page: "zone"; zone: string }
  /** Of the chart: `range` is how long, up to now or to `to`; without it, from `from` to `to`. Instants are epoch ms. */
  | {
      page: "device";
      device: string;
      metrics: string[];
      range: string | null;
      from: number | null;
      to: number | null;
    }
  | { page: "alerts"; state: string | null; zone: string | null }
  | { page: "incident"; id: string }
  | { page: "rules" }
  /** `rule` null: a new one. */
  | { page: "rule"; rule: string | null }
  | { page: "channels" };

/** Unknown fragments are the fleet: a stale link still lands somewhere useful. */
export function parseRoute(fragment: string): Route {
  const [path = "", query = ""] = fragment.replace(/^#/, "").split("?", 2);
  const [, kind, name] = path.split("/");
  const decoded = decode(name);
  const params = new URLSearchParams(query);
  if (decoded !== null && kind === "zones") return { page: "zone", zone: decoded };
  if (decoded !== null && kind === "devices") {
    return {
      page: "device",
      device: decoded,
      metrics: params.getAll("metric"),
      range: params.get("range"),
      from: instantOf(params.get("from")),
      to: instantOf(params.get("to")),
    };
  }
  if (kind === "alerts") {
    if (decoded !== null) return { page: "incident", id: decoded };
    return { page: "alerts", state: params.get("state"), zone: params.get("zone") };
  }
  if (kind === "channels") return { page: "channels" };
  if (kind === "rules") {
    if (decoded === null) return { page: "rules" };
    return { page: "rule", rule: decoded === NEW_RULE ? null : decoded };
  }
  return { page: "fleet" };
}

/** No rule has this id: it has a capital. */
const NEW_RULE = "New";

export function fleetLink(): string {
  return "#/";
}

export function zoneLink(zone: string): string {
  return `#/zones/${encodeURIComponent(zone)}`;
}

/** What of a device its page shows; what is absent or null, the page chooses. */
export interface DeviceView {
  metrics?: string[];
  range?: string | null;
  from?: number | null;
  to?: number | null;
}

export function deviceLink(device: string, view: DeviceView = {}): string {
  const params = new URLSearchParams((view.metrics ?? []).map((metric) => ["metric", metric]));
  if (view.range) params.set("range", view.range);
  if (view.from) params.set("from", String(view.from));
  if (view.to) params.set("to", String(view.to));
  const query = params.toString();
  return `#/devices/${encodeURIComponent(device)}${query ? `?${query}` : ""}`;
}

export function alertsLink(filter: { state?: string | null; zone?: string | null } = {}): string {
  const params = new URLSearchParams();
  if (filter.state) params.set("state", filter.state);
  if (filter.zone) params.set("zone", filter.zone);
  return params.size > 0 ? `#/alerts?${params}` : "#/alerts";
}

/** Of an incident; an alert's id leads to the incident it belongs to. */
export function incidentLink(id: string): string {
  return `#/alerts/${encodeURIComponent(id)}`;
}

export function rulesLink(): string {
  return "#/rules";
}

export function channelsLink(): string {
  return "#/channels";
}

export function ruleLink(rule: string | null): string {
  return `#/rules/${rule ?? NEW_RULE}`;
}

/** `#token=…` → the token, else null. */
export function tokenInFragment(fragment: string): string | null {
  const token = new URLSearchParams(fragment.replace(/^#\/?/, "")).get("token");
  return token ? token.trim() : null;
}

function instantOf(text: string | null): number | null {
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : null;
}

function decode(name: string | undefined): string | null {
  if (!name) return null;
  try {
    return decodeURIComponent(name);
  } catch {
    return null;
  }
}
