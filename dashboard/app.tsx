// The session and the address → the page shown.
import { useEffect, useState } from "preact/hooks";
import { AlertsPage } from "./alerts-page.tsx";
import { ChannelsPage } from "./channels-page.tsx";
import { FeedContext, useApi, useChanges } from "./context.ts";
import { DevicePage } from "./device-page.tsx";
import { FleetPage } from "./fleet-page.tsx";
import { IncidentPage } from "./incident-page.tsx";
import { parseRoute, type Route } from "./route.ts";
import { RulePage } from "./rule-page.tsx";
import { RulesPage } from "./rules-page.tsx";
import { Shell } from "./shell.tsx";
import { SignIn } from "./sign-in.tsx";
import { useAlertFeed } from "./use-alert-feed.ts";
import { ZonePage } from "./zone-page.tsx";

export function App() {
  const { session } = useApi();
  useChanges((listener) => session.onChange(listener), session);
  const route = useRoute();
  if (session.state.kind === "signed-out") {
    return <SignIn reason={session.state.reason} onToken={(token) => session.signIn(token)} />;
  }
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
