// One rule: a form for the common conditions, tried on the past day before it is switched on.
import { useState } from "preact/hooks";
import type { Condition, Rule } from "../../schemas/alert.ts";
import type { PreviewAnswer } from "../../schemas/alert-http.ts";
import type { NamesAnswer } from "../../schemas/query.ts";
import { conditionInWords, formatSpan, scopeInWords } from "../alerts/alert-words.ts";
import { NamesContext } from "../alerts/device-name.tsx";
import { asApiError } from "../base/api.ts";
import { useApi } from "../base/context.ts";
import { formatInstant } from "../base/format.ts";
import { identityOf } from "../base/identity.ts";
import { ruleLink, rulesLink } from "../base/route.ts";
import { useAnswer } from "../base/use-answer.ts";
import { Failure } from "../notices.tsx";
import { Shell } from "../shell.tsx";
import { draftOf, EMPTY_DRAFT, type RuleDraft, type RuleInput, ruleOf } from "./rule-draft.ts";
import { RuleFields } from "./rule-fields.tsx";
import { RulePreview } from "./rule-preview.tsx";
import { useNames } from "./use-names.ts";

const DAY_MS = 86_400_000;
/** Somebody is typing: nothing is read again under their hands. */
const NEVER_MS = 2 ** 31 - 1;

export function RulePage({ rule: id }: { rule: string | null }) {
  const api = useApi();
  const path = id === null ? null : `/v1/rules/${id}`;
  const { answer, error, reload } = useAnswer(path, (signal) => api.get<Rule>(path ?? "", signal), NEVER_MS);
  const crumbs = [
    { label: "Rules", href: rulesLink() },
    { label: answer?.name ?? (id === null ? "New rule" : error?.status === 404 ? "A deleted rule" : "Rule") },
  ];
  return (
    <Shell crumbs={crumbs}>
      <div class="page" data-testid="rule-page">
        {error?.status === 404 && (
          <p class="empty">
            This rule was deleted, or never was; its incidents keep its name.{" "}
            <a href={rulesLink()}>All rules</a>
          </p>
        )}
        {error && error.status !== 404 && <Failure error={error} onRetry={reload} />}
        {id === null && <RuleForm was={null} onChanged={reload} />}
        {answer && <RuleForm key={answer.version} was={answer} onChanged={reload} />}
      </div>
    </Shell>
  );
}

interface Tried {
  answer: PreviewAnswer;
  fromMs: number;
  toMs: number;
}

function RuleForm({ was, onChanged }: { was: Rule | null; onChanged: () => void }) {
  const api = useApi();
  const { mayOperate, role } = identityOf(api.session.token);
  const [draft, setDraft] = useState<RuleDraft>(() => (was === null ? EMPTY_DRAFT : draftOf(was)));
  const [tried, setTried] = useState<Tried | null>(null);
  const [busy, setBusy] = useState<"try" | "save" | "delete" | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  const [said, setSaid] = useState<string | null>(null);
  const [asks, setAsks] = useState(false);
  const names = useNames(draft);

  const perform = async (what: "try" | "save" | "delete", work: () => Promise<void>) => {
    setBusy(what);
    setFailure(null);
    setSaid(null);
    try {
      await work();
    } catch (thrown) {
      setFailure(thrown instanceof Error ? thrown.message : asApiError(thrown).message);
    }
    setBusy(null);
  };
  const tryIt = () =>
    perform("try", async () => {
      const rule: RuleInput = ruleOf(draft, was);
      const toMs = Date.now();
      const asked = { rule, from: toMs - DAY_MS, to: toMs };
      setTried({
        answer: await api.send<PreviewAnswer>("POST", "/v1/rules/preview", asked),
        fromMs: asked.from,
        toMs,
      });
    });
  const save = () =>
    perform("save", async () => {
      const rule = ruleOf(draft, was);
      if (was === null) {
        const made = await api.send<Rule>("POST", "/v1/rules", rule);
        location.replace(ruleLink(made.id));
        return;
      }
      await api.send<Rule>("PUT", `/v1/rules/${was.id}`, { ...rule, id: was.id, version: was.version });
      setSaid("Saved; its devices know.");
      onChanged();
    });
  const remove = () =>
    perform("delete", async () => {
      await api.send("DELETE", `/v1/rules/${was!.id}`);
      location.hash = rulesLink();
    });

  return (
    <>
      <form
        class="rule-form"
        onSubmit={(event) => {
          event.preventDefault();
          void save();
        }}
      >
        <div class="page-head">
          <h1>{was === null ? "New rule" : was.name}</h1>
          {was && (
            <p class="summary" title={`the rule ${was.id}`}>
              version {was.version}, by {was.updatedBy} on {formatInstant(was.updatedAt)}
            </p>
          )}
        </div>
        <RuleFields draft={draft} names={names} onChange={(change) => setDraft({ ...draft, ...change })} />
        <p class="hint" data-testid="rule-in-words">
          {inWords(draft)}
        </p>
        {failure && (
          <p class="notice bad" role="alert" data-testid="rule-failure">
            {failure}
          </p>
        )}
        {said && (
          <p class="said" role="status">
            {said}
          </p>
        )}
        <div class="choices">
          <button type="submit" class="button" disabled={!mayOperate || busy !== null}>
            {busy === "save" ? "Saving…" : "Save"}
          </button>
          <button
            type="button"
            class="button small"
            disabled={busy !== null}
            data-testid="try-rule"
            onClick={() => void tryIt()}
          >
            {busy === "try" ? "Reading the past…" : "Try it on the past 24 h"}
          </button>
          {was && !asks && (
            <button
              type="button"
              class="button small danger"
              disabled={!mayOperate || busy !== null}
              onClick={() => setAsks(true)}
            >
              Delete…
            </button>
          )}
        </div>
        {!mayOperate && (
          <p class="hint">Your token is of the role {role}; only an operator may change rules.</p>
        )}
        {asks && (
          <p class="choices asked-again">
            <span>Delete the rule? Its active alerts end.</span>
            <button
              type="button"
              class="button small danger"
              disabled={busy !== null}
              onClick={() => void remove()}
            >
              Delete
            </button>
            <button type="button" class="quiet-button" onClick={() => setAsks(false)}>
              Cancel
            </button>
          </p>
        )}
      </form>
      {tried && (
        <NamesContext.Provider value={calledIn(names)}>
          <RulePreview {...tried} />
        </NamesContext.Provider>
      )}
    </>
  );
}

const calledIn = (names: NamesAnswer | null) =>
  Object.fromEntries(
    (names?.devices ?? []).flatMap(({ device, name }) => (name === null ? [] : [[device, name]])),
  );

/** What the form says so far, read back. */
function inWords(draft: RuleDraft): string {
  try {
    const { condition, scope, ...rule } = ruleOf(draft, null);
    const { forMs = 0, count = 1, cooldownMs = 0 } = rule;
    const quiet = cooldownMs > 0 ? ` Once it is over it is quiet for ${formatSpan(cooldownMs)}.` : "";
    return `Fires on ${scopeInWords(scope ?? {})} when there is: ${conditionInWords(condition as Condition, { forMs, count })}.${quiet}`;
  } catch (error) {
    return (error as Error).message;
  }
}
