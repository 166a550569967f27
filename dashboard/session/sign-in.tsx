// The form for a token, shown when none is known or the last one was refused.
import { useEffect, useState } from "preact/hooks";
import { fetchLocalToken } from "../base/api.ts";
import { identityOf } from "../base/identity.ts";
import type { Session } from "../base/session.ts";
import { trimToken } from "./token-words.ts";

interface SignInProps {
  reason: string | null;
  /** What was given and not taken. */
  token: string;
  /** Another token is remembered: the one before the link. */
  canStay?: true;
  session: Session;
}

export function SignIn({ reason, token: given, canStay, session }: SignInProps) {
  const [typed, setTyped] = useState(given);
  const [isChecking, setChecking] = useState(false);
  const known = useKnown();
  const token = trimToken(typed);
  // One that came with the address while the form was open is shown in it.
  useEffect(() => {
    if (given !== "") setTyped(given);
  }, [given]);
  const check = async () => {
    setChecking(true);
    await session.signIn(token);
    setChecking(false);
  };
  return (
    <main class="sign-in" data-testid="sign-in">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (token !== "" && !isChecking) void check();
        }}
      >
        <h1>
          <img src="/favicon.svg" alt="" width="28" height="28" /> Telltale
        </h1>
        {reason && !isChecking && (
          <p class="notice bad" role="alert" data-testid="sign-in-reason">
            {reason}
          </p>
        )}
        <label for="token">Paste a token</label>
        <input
          id="token"
          type="password"
          autocomplete="off"
          spellcheck={false}
          value={typed}
          onInput={(event) => setTyped(event.currentTarget.value)}
        />
        <button type="submit" class="button" disabled={token === "" || isChecking}>
          {isChecking ? "Checking…" : "Sign in"}
        </button>
        {canStay && (
          <button type="button" class="button small" onClick={() => void session.resume()}>
            Stay signed in as before
          </button>
        )}
        {known !== null && (
          <button type="button" class="button small" onClick={() => void session.signInLocally()}>
            {known === "local" ? "Use this machine's own session (operator)" : `Go on as ${known}`}
          </button>
        )}
        <p class="hint">
          Who runs the server makes tokens:
          <code>npm run -s token -- --tenant demo --role operator --name you</code>A viewer sees everything
          and changes nothing. The token stays in this browser until you sign out.
        </p>
      </form>
    </main>
  );
}

/**
 * Whom the page could sign in without being given a token: a local run whoever sits at the machine, Access whom it let in.
 * That is offered, and not done behind anybody's back. Null: nobody.
 */
function useKnown(): string | null {
  const [known, setKnown] = useState<string | null>(null);
  useEffect(() => {
    void fetchLocalToken().then((token) => setKnown(token === null ? null : identityOf(token).name));
  }, []);
  return known;
}
