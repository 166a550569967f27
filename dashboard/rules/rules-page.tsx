// Every rule: what it looks for, where, how much it matters, and whether it is switched on.
import type { Rule } from "../../schemas/alert.ts";
import { conditionInWords, scopeInWords } from "../alerts/alert-words.ts";
import { SeverityMark } from "../alerts/severity.tsx";
import type { RuleList } from "../base/answers.ts";
import { useApi } from "../base/context.ts";
import { identityOf } from "../base/identity.ts";
import { channelsLink, ruleLink } from "../base/route.ts";
import { useAnswer } from "../base/use-answer.ts";
import { type DeviceNames, useDeviceNames } from "../base/use-device-names.ts";
import { Failure } from "../notices.tsx";
import { Shell } from "../shell.tsx";

const REREAD_EVERY_MS = 30_000;

export function RulesPage() {
  const api = useApi();
  const { mayOperate } = identityOf(api.session.token);
  const { answer, error, reload } = useAnswer(
    "rules",
    (signal) => api.get<RuleList>("/v1/rules", signal),
    REREAD_EVERY_MS,
  );
  const rules = (answer?.rules ?? []).toSorted(
    (a, b) => Number(b.enabled) - Number(a.enabled) || a.name.localeCompare(b.name),
  );
  const names = useDeviceNames(rules.flatMap(({ scope }) => scope.device ?? []));
  return (
    <Shell crumbs={[{ label: "Rules" }]}>
      <div class="page" data-testid="rules">
        <div class="page-head spread">
          <h1>Rules</h1>
          {mayOperate && (
            <p class="choices">
              <a class="button small as-link" href={channelsLink()}>
                Channels
              </a>
              <a class="button as-link" href={ruleLink(null)}>
                New rule
              </a>
            </p>
          )}
        </div>
        {error && <Failure error={error} onRetry={reload} />}
        {answer && rules.length === 0 && (
          <p class="empty">
            There is no rule yet, so nothing can alert.{" "}
            {mayOperate ? (
              <>
                <a href={ruleLink(null)}>Make the first one</a>, and try it on the past before you save it.
              </>
            ) : (
              "An operator makes them."
            )}
          </p>
        )}
        <ul class="rules">
          {rules.map((rule) => (
            <RuleRow key={rule.id} rule={rule} names={names} />
          ))}
        </ul>
      </div>
    </Shell>
  );
}

function RuleRow({ rule, names }: { rule: Rule; names: DeviceNames }) {
  const { id, name, scope, condition, severity, enabled } = rule;
  return (
    <li class={enabled ? "rule" : "rule off"} data-testid="rule" data-rule={id}>
      <SeverityMark severity={severity} />
      <span class="rule-what">
        <a href={ruleLink(id)}>{name}</a>
        <small>{conditionInWords(condition, rule)}</small>
      </span>
      <span class="rule-where" title={scope.device}>
        {scopeInWords(scope, names)}
      </span>
      <span class="rule-on">{enabled ? "on" : "off"}</span>
    </li>
  );
}
