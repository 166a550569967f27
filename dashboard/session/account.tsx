// Who is signed in: the name in the bar, and behind it role, tenant, until when, and the way out.
import { useEffect, useRef } from "preact/hooks";
import type { Role } from "../../schemas/token.ts";
import { formatSpan } from "../alerts/alert-words.ts";
import { useApi, useTicking } from "../base/context.ts";
import { formatDated } from "../base/format.ts";
import { identityOf } from "../base/identity.ts";

const MAY: Record<Role, string> = {
  viewer: "sees everything, changes nothing",
  operator: "acknowledges alerts, changes rules and devices",
  admin: "may do everything",
  device: "sends readings",
  gateway: "sends readings",
  owner: "makes and deletes tenants, with the command line or the API",
};

/** How somebody came by a token that nobody gave: a local run calls its bearer so. */
const HOW: Record<string, string> = { local: "this machine's own session, made by the local run" };

export function Account() {
  const { session } = useApi();
  const menu = useRef<HTMLDetailsElement>(null);
  useClosing(menu);
  if (session.state.kind !== "signed-in") return null;
  const { token, isLocal } = session.state;
  const { role, name, tenant, expiresAt } = identityOf(token);
  return (
    <details class="account" ref={menu} data-testid="account">
      <summary aria-label={`Signed in: ${name}, ${role} of ${tenant}`}>
        <svg
          viewBox="0 0 16 16"
          width="15"
          height="15"
          aria-hidden="true"
          fill="none"
          stroke="currentColor"
          stroke-width="1.5"
        >
          <circle cx="8" cy="5.2" r="2.9" />
          <path d="M2.4 14c.6-3 2.8-4.6 5.6-4.6s5 1.6 5.6 4.6" />
        </svg>
        <span class="account-name">{name}</span>
        {name !== role && <small>{role}</small>}
      </summary>
      <div class="account-panel">
        <dl>
          <dt>Signed in</dt>
          <dd>
            <b>{name}</b>
            {isLocal && <small>{HOW[name] ?? "signed in by Cloudflare Access"}</small>}
          </dd>
          <dt>Role</dt>
          <dd>
            {role}
            <small>{MAY[role]}</small>
          </dd>
          <dt>Tenant</dt>
          <dd>{tenant}</dd>
          {expiresAt !== null && (
            <>
              <dt>Until</dt>
              <dd>
                {formatDated(expiresAt)}
                <small>
                  <Left untilMs={expiresAt} />
                </small>
              </dd>
            </>
          )}
        </dl>
        <button type="button" class="button small" onClick={() => session.signOut()}>
          Sign out
        </button>
      </div>
    </details>
  );
}

/** `in 23 h`: how long the token is good for, in its largest unit. */
function Left({ untilMs }: { untilMs: number }) {
  const text = useTicking(() => {
    const left = formatSpan(Math.max(1_000, untilMs - Date.now()));
    return `in ${left.split(" ").slice(0, 2).join(" ")}`;
  });
  return <>{text}</>;
}

/** A menu closes with Escape, when something else is pressed, and on another page. */
function useClosing(menu: { current: HTMLDetailsElement | null }): void {
  useEffect(() => {
    const close = (event: Event) => {
      const { current } = menu;
      if (!current?.open) return;
      if (event instanceof KeyboardEvent) {
        if (event.key !== "Escape") return;
        current.querySelector("summary")?.focus();
      } else if (current.contains(event.target as Node)) return;
      current.open = false;
    };
    const leave = () => {
      if (menu.current) menu.current.open = false;
    };
    document.addEventListener("pointerdown", close);
    document.addEventListener("keydown", close);
    addEventListener("hashchange", leave);
    return () => {
      document.removeEventListener("pointerdown", close);
      document.removeEventListener("keydown", close);
      removeEventListener("hashchange", leave);
    };
  }, [menu]);
}
