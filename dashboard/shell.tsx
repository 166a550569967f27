// The frame of every page: where am I, is it live, light or dark, who am I.
import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import { useChanges, useFeed } from "./base/context.ts";
import { alertsLink, fleetLink, rulesLink } from "./base/route.ts";
import { currentTheme, onTheme, turnTheme } from "./base/theme.ts";
import type { StreamState } from "./live/frame-stream.ts";
import type { ZoneWatch } from "./live/zone-watch.ts";
import { Account } from "./session/account.tsx";

export interface Crumb {
  label: string;
  href?: string;
}

interface ShellProps {
  crumbs: Crumb[];
  watch?: ZoneWatch;
  /** The page shows alerts: it says whether they come by themselves. */
  showsFeed?: boolean;
  children: ComponentChildren;
}

export function Shell({ crumbs, watch, showsFeed, children }: ShellProps) {
  const activeCount = useFeed()?.active?.length ?? 0;
  const title = [...crumbs.map(({ label }) => label).reverse(), "Telltale"].join(" · ");
  useEffect(() => {
    document.title = activeCount > 0 ? `(${activeCount}) ${title}` : title;
  }, [title, activeCount]);
  return (
    <>
      <header class="bar">
        <a class="brand" href={fleetLink()} aria-label="Telltale: the fleet">
          <img src="/favicon.svg" alt="" width="22" height="22" />
          <span>Telltale</span>
        </a>
        <nav class="crumbs" aria-label="Where you are">
          {crumbs.map(({ label, href }) =>
            href ? (
              <a key={label} href={href}>
                {label}
              </a>
            ) : (
              <span key={label} aria-current="page">
                {label}
              </span>
            ),
          )}
        </nav>
        <AlertsLink />
        <a class="bar-link" href={rulesLink()} aria-current={currentIf(rulesLink())} data-testid="rules-link">
          Rules
        </a>
        {watch && <ConnectionState watch={watch} />}
        {showsFeed && <FeedState />}
        <ThemeButton />
        <Account />
      </header>
      <main>{children}</main>
    </>
  );
}

const currentIf = (link: string) => (location.hash.startsWith(link) ? "true" : undefined);

/** How many incidents are active, on every page; loud while one is not acknowledged. */
function AlertsLink() {
  const feed = useFeed();
  const active = feed?.active ?? [];
  const isLoud = active.some(({ state }) => state === "firing");
  return (
    <a
      class="bar-link"
      href={alertsLink()}
      aria-current={currentIf(alertsLink())}
      data-testid="alerts-link"
      aria-label={`Alerts, ${active.length} active`}
    >
      <span>Alerts</span>
      {active.length > 0 && (
        <b class={isLoud ? "badge loud" : "badge"} data-testid="alerts-badge">
          {active.length}
          {feed?.hasMore && "+"}
        </b>
      )}
    </a>
  );
}

const STATE_TEXT: Record<StreamState, string> = {
  connecting: "connecting…",
  live: "live",
  reconnecting: "reconnecting…",
  paused: "paused",
};

function ConnectionState({ watch }: { watch: ZoneWatch }) {
  useChanges((listener) => watch.onConnection(listener), watch);
  return (
    <span class="connection" data-testid="connection-state" data-state={watch.connection} role="status">
      <i class="lamp" aria-hidden="true" />
      <span>{STATE_TEXT[watch.connection]}</span>
    </span>
  );
}

function FeedState() {
  const isLive = useFeed()?.isLive ?? false;
  return (
    <span class="connection" data-state={isLive ? "live" : "reconnecting"} role="status">
      <i class="lamp" aria-hidden="true" />
      <span>{isLive ? "live" : "asks every 10 s"}</span>
    </span>
  );
}

const THEME_TEXT = { auto: "Auto", light: "Light", dark: "Dark" };

function ThemeButton() {
  useChanges(onTheme, null);
  const theme = THEME_TEXT[currentTheme()];
  return (
    <button
      type="button"
      class="quiet-button theme"
      data-testid="theme"
      onClick={turnTheme}
      aria-label={`Colours: ${theme}. Change`}
    >
      <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
        <circle cx="8" cy="8" r="6.25" fill="none" stroke="currentColor" stroke-width="1.5" />
        <path d="M8 1.75a6.25 6.25 0 0 1 0 12.5z" fill="currentColor" />
      </svg>
      <span>{theme}</span>
    </button>
  );
}
