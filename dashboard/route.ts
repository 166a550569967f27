// The address's fragment → which page is asked for, and back.

export type Route =
  | { page: "fleet" }
  | { page: "zone"; zone: string }
  | { page: "device"; device: string; metrics: string[]; range: string | null };

/** Unknown fragments are the fleet: a stale link still lands somewhere useful. */
export function parseRoute(fragment: string): Route {
  const [path = "", query = ""] = fragment.replace(/^#/, "").split("?", 2);
  const [, kind, name] = path.split("/");
  const decoded = decode(name);
  if (decoded !== null && kind === "zones") return { page: "zone", zone: decoded };
  if (decoded !== null && kind === "devices") {
    const params = new URLSearchParams(query);
    return { page: "device", device: decoded, metrics: params.getAll("metric"), range: params.get("range") };
  }
  return { page: "fleet" };
}

export function fleetLink(): string {
  return "#/";
}

export function zoneLink(zone: string): string {
  return `#/zones/${encodeURIComponent(zone)}`;
}

export function deviceLink(device: string, view: { metrics?: string[]; range?: string | null } = {}): string {
  const params = new URLSearchParams((view.metrics ?? []).map((metric) => ["metric", metric]));
  if (view.range) params.set("range", view.range);
  const query = params.toString();
  return `#/devices/${encodeURIComponent(device)}${query ? `?${query}` : ""}`;
}

/** `#token=…` → the token, else null. */
export function tokenInFragment(fragment: string): string | null {
  const token = new URLSearchParams(fragment.replace(/^#\/?/, "")).get("token");
  return token ? token.trim() : null;
}

function decode(name: string | undefined): string | null {
  if (!name) return null;
  try {
    return decodeURIComponent(name);
  } catch {
    return null;
  }
}
