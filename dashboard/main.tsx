// Starts the page: the theme before the first paint, then the session, then what the address asks for.
import { render } from "preact";
import { App } from "./app.tsx";
import { Api, fetchLocalToken, refusalOf } from "./base/api.ts";
import { ApiContext } from "./base/context.ts";
import { tokenInFragment } from "./base/route.ts";
import { Session } from "./base/session.ts";
import { recall, remember } from "./base/storage.ts";
import { startTheme } from "./base/theme.ts";

startTheme();

const session = new Session({
  takeFragmentToken,
  recall: () => recall("token"),
  remember: (token) => remember("token", token),
  fetchLocalToken,
  refusalOf,
});
const api = new Api(session);

addEventListener("hashchange", () => {
  const token = takeFragmentToken();
  if (token) void session.offer(token);
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
