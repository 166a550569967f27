// The form for a token, shown when none is known or the last one was refused.
import { useState } from "preact/hooks";

export function SignIn({ reason, onToken }: { reason: string | null; onToken: (token: string) => void }) {
  const [token, setToken] = useState("");
  const trimmed = token.trim();
  return (
    <main class="sign-in" data-testid="sign-in">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (trimmed) onToken(trimmed);
        }}
      >
        <h1>
          <img src="/favicon.svg" alt="" width="28" height="28" /> Telltale
        </h1>
        {reason && (
          <p class="notice bad" role="alert">
            {reason}
          </p>
        )}
        <label for="token">Paste a token</label>
        <input
          id="token"
          type="password"
          autocomplete="off"
          spellcheck={false}
          value={token}
          onInput={(event) => setToken(event.currentTarget.value)}
        />
        <button type="submit" class="button" disabled={!trimmed}>
          Sign in
        </button>
        <p class="hint">
          Print one with <code>npm run -s token -- --tenant demo --role operator --name you</code>; a viewer
          sees everything and changes nothing. It stays in this browser until you sign out.
        </p>
      </form>
    </main>
  );
}
