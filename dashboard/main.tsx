// Starts the page: the theme before the first paint, then the session, then what the address asks for.
import { render } from "preact";
import { Api, fetchLocalToken } from "./api.ts";
import { App } from "./app.tsx";
import { ApiContext } from "./context.ts";
import { tokenInFragment } from "./route.ts";
import { Session } from "./session.ts";
import { recall, remember } from "./storage.ts";
import { startTheme } from "./theme.ts";

startTheme();

const session = new Session({
  takeFragmentToken,
  recall: () => recall("token"),
  remember: (token) => remember("token", token),
  fetchLocalToken,
});
const api = new Api(session);

addEventListener("hashchange", () => {
  const token = takeFragmentToken();
  if (token) session.signIn(token);
});
addEventListener("DOMContentLoaded", () => {
  render(
    <ApiContext.Provider value={api}>
      <App />
    </ApiContext.Provider>,
    document.getElementById("app")!,
  );
  void session.start();
});

/** A token must not stay in the address bar, where it would be bookmarked, shared and photographed. */
function takeFragmentToken(): string | null {
  const token = tokenInFragment(location.hash);
  if (token) history.replaceState(null, "", `${location.pathname}${location.search}#/`);
  return token;
}
