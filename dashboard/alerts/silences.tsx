// Silences: the active ones with a way to end each, and the button on an incident that makes one.
import { useState } from "preact/hooks";
import type { Alert, Incident } from "../../schemas/alert.ts";
import type { Matcher, Silence } from "../../schemas/channel.ts";
import type { SilenceList } from "../base/answers.ts";
import { type ApiError, asApiError } from "../base/api.ts";
import { useApi } from "../base/context.ts";
import { formatInstant } from "../base/format.ts";
import { identityOf } from "../base/identity.ts";
import { useAnswer } from "../base/use-answer.ts";
import { Failure } from "../notices.tsx";
import { matcherInWords, useKnownNames } from "./silence-words.ts";

const REREAD_EVERY_MS = 30_000;
const HOUR_MS = 3_600_000;

interface About {
  incident: Incident;
  alerts: readonly Alert[];
}

/** Those that have not ended, of an incident only the ones that may hold it back. */
function useSilences(about: About | null) {
  const api = useApi();
  const { answer, reload } = useAnswer(
    "silences",
    (signal) => api.get<SilenceList>("/v1/silences", signal),
    REREAD_EVERY_MS,
  );
  const now = Date.now();
  const silences = (answer?.silences ?? []).filter(
    ({ endsAt, matcher }) => (endsAt === null || endsAt > now) && (about === null || mayHold(matcher, about)),
  );
  return { silences, reload };
}

function mayHold({ zone, rule, severity, device, model }: Matcher, { incident, alerts }: About): boolean {
  const fits = (wanted: string | undefined, is: string) => wanted === undefined || wanted === is;
  const isMember = ({ device: of, model: kind }: Alert) => fits(device, of) && fits(model, kind ?? "");
  return (
    fits(zone, incident.zone) &&
    fits(rule, incident.rule.id) &&
    fits(severity, incident.rule.severity) &&
    alerts.some(isMember)
  );
}

export function Silences() {
  const { silences, reload } = useSilences(null);
  if (silences.length === 0) return null;
  return (
    <section aria-label="Silences" data-testid="silences">
      <div class="section-head">
        <h2>Silenced: nobody is told of these</h2>
      </div>
      <SilenceRows silences={silences} onChange={reload} />
    </section>
  );
}

function SilenceRows({ silences, onChange }: { silences: readonly Silence[]; onChange: () => void }) {
  const api = useApi();
  const [error, setError] = useState<ApiError | null>(null);
  const { mayOperate } = identityOf(api.session.token);
  const known = useKnownNames(silences);
  const end = async (id: string) => {
    try {
      await api.send("DELETE", `/v1/silences/${encodeURIComponent(id)}`);
      setError(null);
    } catch (thrown) {
      setError(asApiError(thrown));
    }
    onChange();
  };
  return (
    <>
      {error && <Failure error={error} onRetry={onChange} />}
      <ul class="silences">
        {silences.map(({ id, matcher, comment, startsAt, endsAt, hours, createdBy }) => (
          <li key={id} data-testid="silence">
            <span>
              <b title={Object.values(matcher).join(", ")}>{matcherInWords(matcher, known)}</b>{" "}
              {hours.length > 0 && "in its weekly hours "}
              {startsAt > Date.now() && `from ${formatInstant(startsAt)} `}
              {endsAt === null ? "until it is ended" : `until ${formatInstant(endsAt)}`}
              <small>
                {createdBy}: {comment}
              </small>
            </span>
            <button type="button" class="button small" disabled={!mayOperate} onClick={() => void end(id)}>
              End
            </button>
          </li>
        ))}
      </ul>
    </>
  );
}

const SPANS = [
  { label: "1 h", spanMs: HOUR_MS },
  { label: "8 h", spanMs: 8 * HOUR_MS },
  { label: "until I end it", spanMs: null },
];

/** Nobody is told of this rule in this zone for a while; the alert itself goes on. */
export function IncidentSilence({ incident, alerts }: About) {
  const api = useApi();
  const { silences, reload } = useSilences({ incident, alerts });
  const [isOpen, setOpen] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const { mayOperate } = identityOf(api.session.token);
  const silence = async (spanMs: number | null) => {
    const matcher = { zone: incident.zone, rule: incident.rule.id };
    const endsAt = spanMs === null ? null : Date.now() + spanMs;
    try {
      await api.send("POST", "/v1/silences", {
        matcher,
        comment: `from its incident of ${formatInstant(incident.openedAt)}`,
        endsAt,
      });
      setOpen(false);
      setError(null);
    } catch (thrown) {
      setError(asApiError(thrown));
    }
    reload();
  };
  return (
    <div class="incident-silence">
      {error && (
        <p class="notice bad" role="alert">
          {error.message}
        </p>
      )}
      {silences.length > 0 && (
        <>
          <h2>Silenced: nobody is told</h2>
          <SilenceRows silences={silences} onChange={reload} />
        </>
      )}
      {isOpen ? (
        <p class="choices">
          <span>
            Tell nobody of “{incident.rule.name}” in {incident.zone} for
          </span>
          {SPANS.map(({ label, spanMs }) => (
            <button key={label} type="button" class="button small" onClick={() => void silence(spanMs)}>
              {label}
            </button>
          ))}
          <button type="button" class="quiet-button" onClick={() => setOpen(false)}>
            Cancel
          </button>
        </p>
      ) : (
        <button type="button" class="button small" disabled={!mayOperate} onClick={() => setOpen(true)}>
          Silence…
        </button>
      )}
    </div>
  );
}
