// What a person does about an incident: acknowledge, comment, assign, resolve. Shows what the server answered, nothing sooner.
import { useState } from "preact/hooks";
import type { Alert } from "../../schemas/alert.ts";
import type { ActionKind } from "../../schemas/alert-http.ts";
import type { IncidentActed } from "../base/answers.ts";
import { asApiError } from "../base/api.ts";
import { useApi } from "../base/context.ts";
import { formatCount } from "../base/format.ts";
import { identityOf } from "../base/identity.ts";
import type { IncidentView } from "./use-incident.ts";

interface Said {
  isBad: boolean;
  text: string;
}

const DONE: Record<ActionKind, string> = {
  ack: "Acknowledged",
  assign: "Assigned",
  comment: "Commented",
  resolve: "Resolved",
};

export function IncidentActions({ view, onActed }: { view: IncidentView; onActed: () => void }) {
  const api = useApi();
  const [text, setText] = useState("");
  const [busy, setBusy] = useState<ActionKind | null>(null);
  const [asks, setAsks] = useState<"assign" | "resolve" | null>(null);
  const [said, setSaid] = useState<Said | null>(null);
  const { mayOperate, name, role } = identityOf(api.session.token);
  const [assignee, setAssignee] = useState(name);
  const active = view.alerts.filter(({ resolvedAt }) => resolvedAt === null);
  const isMine = active.every(({ acknowledgedBy }) => acknowledgedBy === name);
  const isTaken = active.every(({ state }) => state === "acknowledged");

  const act = async (kind: ActionKind, more: { to?: string } = {}) => {
    setBusy(kind);
    setSaid(null);
    const written = text.trim() === "" ? {} : { text: text.trim() };
    try {
      const answer = await api.send<IncidentActed | Alert>("POST", `${view.path}/${kind}`, {
        ...written,
        ...more,
      });
      setSaid(saidOf(DONE[kind], answer, view));
      setText("");
      setAsks(null);
    } catch (thrown) {
      setSaid({ isBad: true, text: asApiError(thrown).message });
    }
    setBusy(null);
    onActed();
  };
  const isOff = !mayOperate || busy !== null;
  const reason = mayOperate ? undefined : `Your token is of the role ${role}; only an operator may do this.`;
  const devices = `${formatCount(active.length)} ${active.length === 1 ? "device" : "devices"}`;

  return (
    <section class="actions" aria-label="What to do">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void act("ack");
        }}
      >
        <input
          type="text"
          maxLength={2_000}
          placeholder="What you know or do (optional)"
          aria-label="Text, optional"
          data-testid="action-text"
          autocomplete="off"
          disabled={!mayOperate}
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
        <div class="choices">
          <button
            type="submit"
            class={isTaken ? "button small" : "button"}
            disabled={isOff || isMine}
            title={reason ?? (isMine ? "You have acknowledged it." : undefined)}
            data-testid="acknowledge"
          >
            {busy === "ack" ? "Acknowledging…" : "Acknowledge"}
          </button>
          <button
            type="button"
            class="button small"
            disabled={isOff || text.trim() === ""}
            title={reason ?? (text.trim() === "" ? "Write something first." : undefined)}
            onClick={() => void act("comment")}
          >
            Comment
          </button>
          <button
            type="button"
            class="button small"
            disabled={isOff}
            title={reason}
            onClick={() => setAsks("assign")}
          >
            Assign…
          </button>
          <button
            type="button"
            class="button small"
            disabled={isOff}
            title={reason}
            onClick={() => setAsks("resolve")}
          >
            Resolve…
          </button>
        </div>
      </form>
      {reason && <p class="hint">{reason}</p>}
      {asks === "resolve" && (
        <p class="choices asked-again">
          <span>
            End the alert of {devices} by hand? It does not fire again until the value was in order once.
          </span>
          <button
            type="button"
            class="button small danger"
            disabled={isOff}
            onClick={() => void act("resolve")}
          >
            Resolve
          </button>
          <button type="button" class="quiet-button" onClick={() => setAsks(null)}>
            Cancel
          </button>
        </p>
      )}
      {asks === "assign" && (
        <form
          class="choices asked-again"
          onSubmit={(event) => {
            event.preventDefault();
            if (assignee.trim() !== "") void act("assign", { to: assignee.trim() });
          }}
        >
          <label>
            Assign to{" "}
            <input
              type="text"
              maxLength={200}
              value={assignee}
              onInput={(event) => setAssignee(event.currentTarget.value)}
            />
          </label>
          <button type="submit" class="button small" disabled={isOff || assignee.trim() === ""}>
            Assign
          </button>
          <button type="button" class="quiet-button" onClick={() => setAsks(null)}>
            Cancel
          </button>
        </form>
      )}
      {said && (
        <p
          class={said.isBad ? "notice bad" : "said"}
          role={said.isBad ? "alert" : "status"}
          data-testid="action-said"
        >
          {said.text}
        </p>
      )}
    </section>
  );
}

/** The answer for all members, or for one alert. */
function saidOf(what: string, answer: IncidentActed | Alert, { alerts, names }: IncidentView): Said {
  if (!("done" in answer)) return { isBad: false, text: `${what}.` };
  const { done, refused, missing } = answer;
  const parts = [`${what}: ${formatCount(done)} ${done === 1 ? "device" : "devices"}`];
  if (refused > 0) parts.push(`${formatCount(refused)} had ended meanwhile`);
  if (missing.length > 0) {
    const nameOf = (id: string) => {
      const device = alerts.find((alert) => alert.id === id)?.device ?? id;
      return names[device] ?? device;
    };
    const named = missing.slice(0, 5).map(nameOf).join(", ");
    parts.push(
      `${formatCount(missing.length)} did not answer (${named}${missing.length > 5 ? ", …" : ""}): try again`,
    );
  }
  return { isBad: missing.length > 0, text: `${parts.join("; ")}.` };
}
