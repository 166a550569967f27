// The form for a token, shown when none is known or the last one was refused.
import { useEffect, useState } from "preact/hooks";
import { fetchLocalToken } from "../base/api.ts";
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
  const hasLocalRun = useLocalRun();
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
        {hasLocalRun && (
          <button type="button" class="button small" onClick={() => void session.signInLocally()}>
            Use this machine's own session (operator)
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

/** A local run signs in whoever sits at the machine: that is offered, and not done behind anybody's back. */
function useLocalRun(): boolean {
  const [isThere, setThere] = useState(false);
  useEffect(() => {
    void fetchLocalToken().then((token) => setThere(token !== null));
  }, []);
  return isThere;
}
