// Events of alerts, and time → incidents, and whom to tell of them and when. Pure: what is known comes from a book.
import type { Alert, AlertEvent, EscalationStep, Incident, NoticeKind } from "../../schemas/alert.ts";
import { isSilence, isSilenced, isWithGateway } from "./incident-gateway.ts";

/** How long the first message waits to see whether the gateway is silent too. */
export const HOLD_MS = 5_000;
/** How long after its gateway spoke again a muted device may stay silent. */
export const UNMUTE_AFTER_MS = 60_000;
/** An update goes when nobody has joined for so long, */
export const CALM_MS = 10_000;
/** or so long after the first that nobody was told of, */
export const UPDATE_WITHIN_MS = 60_000;
/** and this far from the update before. */
export const UPDATE_EVERY_MS = 5 * 60_000;
/** An incident that never ends would grow for ever: who comes after so many begins another. */
export const MEMBERS_MAX = 5_000;

/** An alert in its incident. PERSISTED in the zone's rows; new fields need a default. */
export interface Member {
  alert: Alert;
  /** The incident's number. */
  incident: number;
  /** `held`: not told yet, its gateway may be silent too. `muted`: it is. */
  quiet: "held" | "muted" | null;
  /** When the hold ends; of a gateway that spoke again, when those it muted are looked at. */
  dueAt: number | null;
}

/** An incident and what was told of it; instants by the wall clock. PERSISTED in the zone's rows; new fields need a default. */
export interface IncidentRecord {
  number: number;
  incident: Incident;
  /** Active members that are held. */
  held: number;
  /** When people were told that it fired, or will be when a silence that holds that back ends; null: not yet. */
  toldAt: number | null;
  /** The first and the last joining nobody was told of. */
  untoldFrom: number | null;
  untoldTo: number | null;
  updatedAt: number | null;
  updates: number;
}

/** What is known of a zone's incidents; it keeps what is put. */
export interface IncidentBook {
  /** A number that no incident of the zone ever had, above all those. */
  draw(): number;
  incident(number: number): IncidentRecord | undefined;
  /** Numbers of the rule's incidents that are not resolved, newest first. */
  open(rule: string): number[];
  member(alert: string): Member | undefined;
  /** An active alert that the device as a whole is silent. */
  silence(device: string): Alert | undefined;
  /** The active members behind this gateway that are held or muted. */
  quietBehind(gateway: string): Member[];
  /** Members whose time has come, and numbers of open incidents whose time has. */
  due(nowMs: number): { members: Member[]; incidents: number[] };
  putIncident(record: IncidentRecord): void;
  putMember(member: Member): void;
}

export interface PlannedNotice {
  number: number;
  /** The idempotency key. */
  key: string;
  incident: string;
  kind: NoticeKind;
  channels: EscalationStep["channels"];
}

export interface Outcome {
  /** Events not known before, in their order. `incident` null: of an alert that is over and forgotten. */
  taken: { event: AlertEvent; number: number | null; incident: string | null }[];
  notices: PlannedNotice[];
  /** Numbers of the incidents that changed. */
  changed: Set<number>;
  /** The earliest time that has to do with what changed; null: none. */
  dueAt: number | null;
}

/** Takes each event once, by its alert's revision. */
export function applyEvents(
  book: IncidentBook,
  zone: string,
  events: readonly AlertEvent[],
  nowMs: number,
): Outcome {
  const draft = new Draft(book, zone, nowMs);
  for (const event of events) draft.take(event);
  return draft.finish();
}

/** Does what is due: ends holds, unmutes, sends updates, escalates. */
export function applyTime(book: IncidentBook, zone: string, nowMs: number): Outcome {
  const draft = new Draft(book, zone, nowMs);
  const { members, incidents } = book.due(nowMs);
  for (const member of members) draft.wake(member);
  for (const number of incidents) draft.look(number);
  return draft.finish();
}

/** When an incident needs to be looked at again; null: not before something happens. */
export function incidentDueAt(record: IncidentRecord): number | null {
  if (!isAudible(record)) return null;
  const dueAt = Math.min(updateDueAt(record), nextStep(record)?.dueAt ?? Number.POSITIVE_INFINITY);
  return Number.isFinite(dueAt) ? dueAt : null;
}

/** What became of its fire: silences hold it until `heldUntilMs`, or (null) people have been told by now. */
export function noteFire(record: IncidentRecord, heldUntilMs: number | null, nowMs: number): IncidentRecord {
  if (heldUntilMs !== null) return { ...record, toldAt: heldUntilMs };
  const { toldAt, untoldTo } = record;
  if (toldAt === null) return record;
  // Whoever joined while it was held was in it.
  const isInIt = untoldTo !== null && untoldTo < Math.min(toldAt, nowMs - CALM_MS);
  if (toldAt <= nowMs && !isInIt) return record;
  return {
    ...record,
    toldAt: Math.min(toldAt, nowMs),
    ...(isInIt ? { untoldFrom: null, untoldTo: null } : {}),
  };
}

/** People were told, and a member is active of which they may hear. */
const isAudible = ({ toldAt, held, incident: { active, muted } }: IncidentRecord) =>
  toldAt !== null && active > muted + held;

function updateDueAt({ untoldFrom, untoldTo, updatedAt, toldAt }: IncidentRecord): number {
  if (untoldFrom === null || untoldTo === null || toldAt === null) return Number.POSITIVE_INFINITY;
  const calmAt = Math.max(Math.min(untoldTo + CALM_MS, untoldFrom + UPDATE_WITHIN_MS), toldAt + CALM_MS);
  return updatedAt === null ? calmAt : Math.max(calmAt, updatedAt + UPDATE_EVERY_MS);
}

/** Steps count from when people were told; the earliest comes first, however they are listed. */
function nextStep({ incident, toldAt }: IncidentRecord) {
  if (incident.acknowledgedAt !== null || toldAt === null) return undefined;
  const step = incident.rule.escalation.toSorted((a, b) => a.afterMs - b.afterMs)[incident.escalated];
  return step && { dueAt: toldAt + step.afterMs, channels: step.channels };
}

class Draft {
  readonly #book: IncidentBook;
  readonly #zone: string;
  readonly #nowMs: number;
  /** Every incident looked at, as it will be put. */
  readonly #records = new Map<number, IncidentRecord>();
  /** Incidents that people are told of for the first time: of all that this draft does to them. */
  readonly #fired = new Set<number>();
  readonly #outcome: Outcome = { taken: [], notices: [], changed: new Set(), dueAt: null };

  constructor(book: IncidentBook, zone: string, nowMs: number) {
    this.#book = book;
    this.#zone = zone;
    this.#nowMs = nowMs;
  }

  take(event: AlertEvent): void {
    const { alert } = event;
    const known = this.#book.member(alert.id);
    if (known !== undefined && known.alert.revision >= alert.revision) return;
    if (known === undefined && alert.resolvedAt !== null) {
      this.#outcome.taken.push({ event, number: null, incident: null });
      return;
    }
    const member = known === undefined ? this.#join(alert) : { ...known, alert };
    const record = this.#change(member.incident);
    if (alert.acknowledgedAt !== null && record.incident.state === "firing") {
      const { acknowledgedAt, acknowledgedBy } = alert;
      Object.assign(record.incident, { state: "acknowledged", acknowledgedAt, acknowledgedBy });
    }
    if (known?.alert.resolvedAt === null && alert.resolvedAt !== null) this.#end(member, record);
    this.#putMember(member);
    this.#outcome.taken.push({ event, number: record.number, incident: record.incident.id });
    if (known === undefined && isSilence(alert)) this.#muteHeldBehind(alert.device);
  }

  /** A member whose time has come. */
  wake(member: Member): void {
    if (member.quiet === "held") {
      this.#release(member, isSilenced(member.alert, this.#book));
      return;
    }
    this.#putMember({ ...member, dueAt: null });
    if (this.#book.silence(member.alert.device) !== undefined) return; // it fell silent again
    const behind = this.#book.quietBehind(member.alert.device);
    for (const muted of behind) if (muted.quiet === "muted") this.#unmute(muted);
  }

  look(number: number): void {
    const record = this.#record(number);
    if (!isAudible(record)) return;
    if (updateDueAt(record) <= this.#nowMs) {
      this.#change(number);
      this.#tell(record, "update", record.updates++);
      record.updatedAt = this.#nowMs;
      record.untoldFrom = record.untoldTo = null;
    }
    for (let step = nextStep(record); step && step.dueAt <= this.#nowMs; step = nextStep(record)) {
      this.#change(number);
      this.#tell(record, "escalate", record.incident.escalated++, step.channels);
    }
  }

  finish(): Outcome {
    for (const number of this.#outcome.changed) {
      const record = this.#record(number);
      this.#book.putIncident(record);
      this.#dueAt(incidentDueAt(record));
    }
    return this.#outcome;
  }

  // ---- members -----------------------------------------------------------------------------------------------------

  #join(alert: Alert): Member {
    const record = this.#openFor(alert) ?? this.#open(alert);
    record.incident.members += 1;
    record.incident.active += 1;
    record.incident.rule = alert.rule;
    record.incident.joinedAt = Math.max(record.incident.joinedAt, alert.firedAt);
    const member: Member = { alert, incident: record.number, quiet: null, dueAt: null };
    if (!isWithGateway(alert)) this.#heard(record);
    else if (isSilenced(alert, this.#book)) {
      member.quiet = "muted";
      record.incident.muted += 1;
    } else {
      member.quiet = "held";
      member.dueAt = this.#nowMs + HOLD_MS;
      record.held += 1;
    }
    return member;
  }

  /** The open incident that the alert belongs to by when it fired: near one of those between its first and its newest member. */
  #openFor({ firedAt, rule }: Alert): IncidentRecord | undefined {
    if (rule.groupWithinMs === 0) return undefined;
    const newest = this.#newestOpen(rule.id);
    if (newest === undefined) return undefined;
    const { openedAt, joinedAt, members } = newest.incident;
    if (members >= MEMBERS_MAX) return undefined;
    const isNear = firedAt <= joinedAt + rule.groupWithinMs && firedAt >= openedAt - rule.groupWithinMs;
    return isNear ? newest : undefined;
  }

  #newestOpen(rule: string): IncidentRecord | undefined {
    const drafted = [...this.#records.values()].filter(({ incident }) => incident.rule.id === rule);
    const numbers = new Set([...drafted.map(({ number }) => number), ...this.#book.open(rule)]);
    return [...numbers]
      .sort((a, b) => b - a)
      .map((number) => this.#record(number))
      .find(({ incident }) => incident.resolvedAt === null);
  }

  #open({ zone, rule, firedAt }: Alert): IncidentRecord {
    const number = this.#book.draw();
    const incident: Incident = {
      id: `${this.#zone}.${number}`,
      revision: 0,
      state: "firing",
      zone,
      rule,
      openedAt: firedAt,
      joinedAt: firedAt,
      acknowledgedAt: null,
      acknowledgedBy: null,
      resolvedAt: null,
      members: 0,
      active: 0,
      muted: 0,
      escalated: 0,
    };
    const untold = { toldAt: null, untoldFrom: null, untoldTo: null, updatedAt: null, updates: 0 };
    const record = { number, incident, held: 0, ...untold };
    this.#records.set(number, record);
    return record;
  }

  #end(member: Member, record: IncidentRecord): void {
    const { alert, quiet } = member;
    const { incident } = record;
    incident.active -= 1;
    if (quiet === "held") record.held -= 1;
    if (quiet === "muted") incident.muted -= 1;
    member.quiet = null;
    const mayRelease = isSilence(alert) && this.#book.quietBehind(alert.device).length > 0;
    member.dueAt = mayRelease ? this.#nowMs + UNMUTE_AFTER_MS : null;
    if (incident.active > 0) return;
    incident.state = "resolved";
    incident.resolvedAt = alert.resolvedAt;
    record.untoldFrom = record.untoldTo = null;
    if (record.toldAt !== null) this.#tell(record, "resolve", 0);
  }

  #muteHeldBehind(gateway: string): void {
    for (const member of this.#book.quietBehind(gateway)) {
      if (member.quiet === "held" && isSilenced(member.alert, this.#book)) this.#release(member, true);
    }
  }

  /** The hold is over. */
  #release(member: Member, muted: boolean): void {
    const record = this.#change(member.incident);
    record.held -= 1;
    if (muted) record.incident.muted += 1;
    this.#putMember({ ...member, quiet: muted ? "muted" : null, dueAt: null });
    if (!muted) this.#heard(record);
  }

  #unmute(member: Member): void {
    const record = this.#change(member.incident);
    record.incident.muted -= 1;
    this.#putMember({ ...member, quiet: null, dueAt: null });
    this.#heard(record);
  }

  // ---- incidents ---------------------------------------------------------------------------------------------------

  /** People are to hear of one more member: at once of the first, and those with it; of others when joining has calmed. */
  #heard(record: IncidentRecord): void {
    if (record.toldAt === null) {
      record.toldAt = this.#nowMs;
      this.#fired.add(record.number);
      this.#tell(record, "fire", 0);
    } else if (!this.#fired.has(record.number)) {
      record.untoldFrom ??= this.#nowMs;
      record.untoldTo = this.#nowMs;
    }
  }

  #tell(
    record: IncidentRecord,
    kind: NoticeKind,
    n: number,
    channels: PlannedNotice["channels"] = null,
  ): void {
    const { number, incident } = record;
    const key = `${incident.id}.${kind}.${n}`;
    this.#outcome.notices.push({ number, key, incident: incident.id, kind, channels });
  }

  #record(number: number): IncidentRecord {
    let record = this.#records.get(number);
    if (record === undefined) {
      const stored = this.#book.incident(number);
      if (stored === undefined) throw new Error(`incident ${number} is not in the book of its members`);
      record = { ...stored, incident: { ...stored.incident } };
      this.#records.set(number, record);
    }
    return record;
  }

  /** The incident, which is about to change. */
  #change(number: number): IncidentRecord {
    const record = this.#record(number);
    this.#outcome.changed.add(number);
    record.incident.revision += 1;
    return record;
  }

  #putMember(member: Member): void {
    this.#book.putMember(member);
    this.#dueAt(member.dueAt);
  }

  #dueAt(dueAt: number | null): void {
    if (dueAt !== null) this.#outcome.dueAt = Math.min(dueAt, this.#outcome.dueAt ?? dueAt);
  }
}
