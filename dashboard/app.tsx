// The session and the address → the page shown.
import { useEffect, useState } from "preact/hooks";
import { AlertsPage } from "./alerts/alerts-page.tsx";
import { IncidentPage } from "./alerts/incident-page.tsx";
import { FeedContext, useApi, useChanges } from "./base/context.ts";
import { parseRoute, type Route } from "./base/route.ts";
import { ChannelsPage } from "./channels/channels-page.tsx";
import { DevicePage } from "./device/device-page.tsx";
import { FleetPage } from "./fleet/fleet-page.tsx";
import { useAlertFeed } from "./live/use-alert-feed.ts";
import { RulePage } from "./rules/rule-page.tsx";
import { RulesPage } from "./rules/rules-page.tsx";
import { SignIn } from "./session/sign-in.tsx";
import { Shell } from "./shell.tsx";
import { ZonePage } from "./zone/zone-page.tsx";

export function App() {
  const { session } = useApi();
  useChanges((listener) => session.onChange(listener), session);
  const route = useRoute();
  if (session.state.kind === "signed-out") return <SignIn {...session.state} session={session} />;
  if (session.state.kind === "starting") return <Shell crumbs={[]}>{null}</Shell>;
  // Another token may be another tenant: nothing of the one before stays on the page.
  return <Page key={session.state.token} route={route} />;
}

function Page({ route }: { route: Route }) {
  const feed = useAlertFeed();
  return (
    <FeedContext.Provider value={feed}>
      <PageOf route={route} />
    </FeedContext.Provider>
  );
}

function PageOf({ route }: { route: Route }) {
  if (route.page === "zone") return <ZonePage key={route.zone} zone={route.zone} />;
  if (route.page === "device") return <DevicePage key={route.device} route={route} />;
  if (route.page === "alerts") return <AlertsPage state={route.state} zone={route.zone} />;
  if (route.page === "incident") return <IncidentPage key={route.id} id={route.id} />;
  if (route.page === "channels") return <ChannelsPage />;
  if (route.page === "rules") return <RulesPage />;
  if (route.page === "rule") return <RulePage key={route.rule} rule={route.rule} />;
  return <FleetPage />;
}

function useRoute(): Route {
  const [fragment, setFragment] = useState(location.hash);
  useEffect(() => {
    const read = () => setFragment(location.hash);
    addEventListener("hashchange", read);
    return () => removeEventListener("hashchange", read);
  }, []);
  return parseRoute(fragment);
}
