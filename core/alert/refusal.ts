// A message that a channel's receiver refused → the incident that says so.
import type { Incident, Refusal } from "../../schemas/alert.ts";
import { CHANNELS_PER_TENANT_MAX } from "../../schemas/limits.ts";

/** The most refusals that an incident keeps, the newest: every channel may refuse the same message. */
const REFUSALS_MAX = CHANNELS_PER_TENANT_MAX;

/**
 * Returns the incident with a refusal, at its next revision, in place of what was known of that message and channel;
 * the incident itself when that is as much already.
 */
export function withRefusal(incident: Incident, refusal: Refusal): Incident {
  const { refusals = [], revision } = incident;
  const isSame = ({ key, channel }: Refusal) => key === refusal.key && channel === refusal.channel;
  const known = refusals.find(isSame);
  if (known !== undefined && (refusal.instead === null || isEqual(known.instead, refusal.instead)))
    return incident;
  const others = refusals.filter((own) => !isSame(own));
  return {
    ...incident,
    revision: revision + 1,
    refusals: [...others, { ...refusal, at: known?.at ?? refusal.at }].slice(-REFUSALS_MAX),
  };
}

const isEqual = (a: Refusal["instead"], b: Refusal["instead"]) => a?.join() === b?.join();
