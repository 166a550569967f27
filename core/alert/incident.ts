// Events of alerts, and time → incidents, and whom to tell of them and when. Pure: what is known comes from a book.
import type { Alert, AlertEvent, EscalationStep, Incident, NoticeKind } from "../../schemas/alert.ts";
import { isMuted, isNoData, isWithGateway } from "./incident-gateway.ts";
import { AWAY_MS } from "./no-data.ts";

/**
 * How long the first message about a no-data alert waits, in ms, to see whether the device's gateway has no data
 * either.
 */
export const HOLD_MS = 5_000;
/**
 * How long after a gateway has data again the devices it muted may stay without, in ms, before people are told of
 * them.
 */
export const UNMUTE_AFTER_MS = 60_000;
/** How long after that gateway's end the zone gives them that time again because it was away itself, in ms. */
const UNMUTE_AGAIN_WITHIN_MS = 3_600_000;
/**
 * An update of an incident is sent when no member has joined for this long, in ms, or when `UPDATE_WITHIN_MS` have
 * passed.
 */
export const CALM_MS = 10_000;
/**
 * The longest time, in ms, from the first joining that nobody was told of until the update, however many join
 * meanwhile.
 */
export const UPDATE_WITHIN_MS = 60_000;
/** The least time between two updates of an incident, in ms; an update that is due before waits for it. */
export const UPDATE_EVERY_MS = 5 * 60_000;
/**
 * The most members of an incident, for one that never ends would grow for ever: the next alert begins another
 * incident.
 */
export const MEMBERS_MAX = 5_000;

/** An alert as a member of its incident. PERSISTED in the zone's rows; new fields need a default. */
export interface Member {
  alert: Alert;
  /** The incident's number. */
  incident: number;
  /**
   * Why people are not told of the member. `held`: it waits to see whether its gateway has no data either. `muted`:
   * the gateway has none. Null: nothing keeps it from being told.
   */
  quiet: "held" | "muted" | null;
  /**
   * When something is to be done with the member, epoch ms: a hold ends, or the members that this gateway muted are
   * looked at, because it has data again. Null: nothing.
   */
  dueAt: number | null;
}

/**
 * An incident and what people were told of it; instants are epoch ms by the wall clock. PERSISTED in the zone's rows;
 * new fields need a default.
 */
export interface IncidentRecord {
  number: number;
  incident: Incident;
  /** How many active members are held. */
  held: number;
  /**
   * When people were told that the incident fired, or will be when a silence that holds the notice back ends; null
   * when there was no notice yet.
   */
  toldAt: number | null;
  /** When the first member joined of whom nobody was told; null when people were told of all. */
  untoldFrom: number | null;
  /** When the last member joined of whom nobody was told; null when people were told of all. */
  untoldTo: number | null;
  /** When the last update was sent; null when none was. */
  updatedAt: number | null;
  /** How many updates were sent. */
  updates: number;
  /** How many members are gone because their device was deleted; none when absent. */
  nameless?: number;
}

/** The incidents of a zone and their members, as `applyEvents` and `applyTime` read and change them. */
export interface IncidentBook {
  /** Returns a number for a new incident, above those of all incidents the zone ever had. */
  draw(): number;
  /** Returns the incident of a number; undefined when it is forgotten. */
  incident(number: number): IncidentRecord | undefined;
  /** Returns the numbers of the rule's incidents that are not resolved, newest first. */
  open(rule: string): number[];
  /** Returns the member that an alert is, by the alert's id; undefined when it is not known, or forgotten. */
  member(alert: string): Member | undefined;
  /** Whether the alert is of a life of its device that was deleted. */
  isEnded(alert: Alert): boolean;
  /** Returns an active no-data alert about the device as a whole; undefined when there is none. */
  noDataAlert(device: string): Alert | undefined;
  /** Returns the active members behind this gateway that are held or muted. */
  quietBehind(gateway: string): Member[];
  /** Returns the members, and the numbers of the open incidents, whose `dueAt` is at or before `nowMs`. */
  due(nowMs: number): { members: Member[]; incidents: number[] };
  /** Keeps an incident, instead of the one of its number. */
  putIncident(record: IncidentRecord): void;
  /** Keeps a member, instead of the one of its alert. */
  putMember(member: Member): void;
}

/** A notice that is to be sent about an incident. */
export interface PlannedNotice {
  /** The incident's number. */
  number: number;
  /** The idempotency key: the same notice, planned again, has the same. */
  key: string;
  /** The incident's id. */
  incident: string;
  kind: NoticeKind;
  /** The channels an escalation step names; null when the rule or the routes decide. */
  channels: EscalationStep["channels"];
}

/** What events or the time did to a zone's incidents; the book has been changed already. */
export interface Outcome {
  /**
   * Events not known before, in their order, each with its incident's number and id; null for an alert that is over
   * and that the book does not know, or no longer knows.
   */
  taken: { event: AlertEvent; number: number | null; incident: string | null }[];
  notices: PlannedNotice[];
  /** The numbers of the incidents that changed. */
  changed: Set<number>;
  /** When something that changed is due, epoch ms, the earliest of all; null when nothing of it is. */
  dueAt: number | null;
}

/**
 * Takes events of alerts into the incidents of a zone, changing the book, and returns what that did. An event is
 * taken once, by its alert's id and revision, and one of a deleted life of its device never. `nowMs` is of the wall
 * clock.
 * @throws Error when the book lacks the incident of a member.
 */
export function applyEvents(
  book: IncidentBook,
  zone: string,
  events: readonly AlertEvent[],
  nowMs: number,
): Outcome {
  const draft = new Draft(book, zone, nowMs);
  for (const event of events) draft.apply(event);
  return draft.finish();
}

/**
 * Does what is due at `nowMs`, by the wall clock, changing the book, and returns what that did: holds end, members
 * are unmuted, updates and escalations are planned.
 * @throws Error when the book lacks the incident of a member.
 */
export function applyTime(book: IncidentBook, zone: string, nowMs: number): Outcome {
  const draft = new Draft(book, zone, nowMs);
  const { members, incidents } = book.due(nowMs);
  for (const member of members) draft.wake(member);
  for (const number of incidents) draft.look(number);
  return draft.finish();
}

/**
 * Returns when an update or an escalation step of an incident is due, epoch ms; null when none is until something
 * else happens.
 */
export function incidentDueAt(record: IncidentRecord): number | null {
  if (!isAudible(record)) return null;
  const dueAt = Math.min(updateDueAt(record), nextStep(record)?.dueAt ?? Number.POSITIVE_INFINITY);
  return Number.isFinite(dueAt) ? dueAt : null;
}

/**
 * Returns the record with what became of its first notice: held back by silences until `heldUntilMs`, or, when that
 * is null, delivered by `nowMs`. The record itself when nothing changes.
 */
export function noteFire(record: IncidentRecord, heldUntilMs: number | null, nowMs: number): IncidentRecord {
  if (heldUntilMs !== null) return { ...record, toldAt: heldUntilMs };
  const { toldAt, untoldTo } = record;
  if (toldAt === null) return record;
  // The notice named all who joined while it was held back.
  const isInIt = untoldTo !== null && untoldTo < Math.min(toldAt, nowMs - CALM_MS);
  if (toldAt <= nowMs && !isInIt) return record;
  return {
    ...record,
    toldAt: Math.min(toldAt, nowMs),
    ...(isInIt ? { untoldFrom: null, untoldTo: null } : {}),
  };
}

/** Whether people were told of the incident, and a member is active that is neither muted nor held. */
const isAudible = ({ toldAt, held, incident: { active, muted } }: IncidentRecord) =>
  toldAt !== null && active > muted + held;

/** When an update is due, epoch ms; Infinity when people were told of all members. */
function updateDueAt({ untoldFrom, untoldTo, updatedAt, toldAt }: IncidentRecord): number {
  if (untoldFrom === null || untoldTo === null || toldAt === null) return Number.POSITIVE_INFINITY;
  const calmAt = Math.max(Math.min(untoldTo + CALM_MS, untoldFrom + UPDATE_WITHIN_MS), toldAt + CALM_MS);
  return updatedAt === null ? calmAt : Math.max(calmAt, updatedAt + UPDATE_EVERY_MS);
}

/**
 * The next escalation step and when it is due, counted from when people were told; undefined when there is none, or
 * somebody acknowledged. Steps come by their time, however the rule lists them.
 */
function nextStep({ incident, toldAt }: IncidentRecord) {
  if (incident.acknowledgedAt !== null || toldAt === null) return undefined;
  const step = incident.rule.escalation.toSorted((a, b) => a.afterMs - b.afterMs)[incident.escalated];
  return step && { dueAt: toldAt + step.afterMs, channels: step.channels };
}

class Draft {
  readonly #book: IncidentBook;
  readonly #zone: string;
  readonly #nowMs: number;
  /** Every incident looked at, by number, as it will be put into the book. */
  readonly #records = new Map<number, IncidentRecord>();
  /** Numbers of the incidents that people are told of for the first time: of all that this draft does to them. */
  readonly #fired = new Set<number>();
  readonly #outcome: Outcome = { taken: [], notices: [], changed: new Set(), dueAt: null };

  constructor(book: IncidentBook, zone: string, nowMs: number) {
    this.#book = book;
    this.#zone = zone;
    this.#nowMs = nowMs;
  }

  /** Takes one event: its alert joins an incident, changes, or ends. */
  apply(event: AlertEvent): void {
    const { alert } = event;
    if (this.#book.isEnded(alert)) return;
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
    if (known === undefined && isNoData(alert)) this.#muteHeldBehind(alert.device);
  }

  /** Does what is due of a member: its hold ends, or the members it muted are unmuted, if it still has data. */
  wake(member: Member): void {
    if (member.quiet === "held") {
      this.#release(member, isMuted(member.alert, this.#book));
      return;
    }
    if (this.#wasAway(member)) {
      this.#putMember({ ...member, dueAt: this.#nowMs + UNMUTE_AFTER_MS });
      return;
    }
    this.#putMember({ ...member, dueAt: null });
    if (this.#book.noDataAlert(member.alert.device) !== undefined) return; // nothing comes from it again
    const behind = this.#book.quietBehind(member.alert.device);
    for (const muted of behind) if (muted.quiet === "muted") this.#unmute(muted);
  }

  /** Whether what is due of a gateway's ended alert is done so late that the devices behind it could not be heard. */
  #wasAway({ dueAt, alert: { resolvedAt } }: Member): boolean {
    const lateMs = this.#nowMs - (dueAt ?? this.#nowMs);
    return lateMs > AWAY_MS && this.#nowMs - (resolvedAt ?? 0) < UNMUTE_AGAIN_WITHIN_MS;
  }

  /** Plans the update and the escalation steps of an incident that are due. */
  look(number: number): void {
    const record = this.#record(number);
    if (!isAudible(record)) return;
    if (updateDueAt(record) <= this.#nowMs) {
      this.#change(number);
      this.#notify(record, "update", record.updates++);
      record.updatedAt = this.#nowMs;
      record.untoldFrom = record.untoldTo = null;
    }
    for (let step = nextStep(record); step && step.dueAt <= this.#nowMs; step = nextStep(record)) {
      this.#change(number);
      this.#notify(record, "escalate", record.incident.escalated++, step.channels);
    }
  }

  /** Puts the changed incidents into the book. */
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
    else if (isMuted(alert, this.#book)) {
      member.quiet = "muted";
      record.incident.muted += 1;
    } else {
      member.quiet = "held";
      member.dueAt = this.#nowMs + HOLD_MS;
      record.held += 1;
    }
    return member;
  }

  /**
   * The open incident that an alert belongs to: it fired near one between the first and the newest member. Undefined
   * when it begins another.
   */
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
    const mayRelease = isNoData(alert) && this.#book.quietBehind(alert.device).length > 0;
    member.dueAt = mayRelease ? this.#nowMs + UNMUTE_AFTER_MS : null;
    if (incident.active > 0) return;
    incident.state = "resolved";
    incident.resolvedAt = alert.resolvedAt;
    record.untoldFrom = record.untoldTo = null;
    if (record.toldAt !== null) this.#notify(record, "resolve", 0);
  }

  #muteHeldBehind(gateway: string): void {
    for (const member of this.#book.quietBehind(gateway)) {
      if (member.quiet === "held" && isMuted(member.alert, this.#book)) this.#release(member, true);
    }
  }

  /** Ends a member's hold: its gateway has muted it, or people are told of it. */
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

  /**
   * Has people told of one more member: at once if it is the first, with those of the same draft; of later ones by an
   * update, when joining has calmed.
   */
  #heard(record: IncidentRecord): void {
    if (record.toldAt === null) {
      record.toldAt = this.#nowMs;
      this.#fired.add(record.number);
      this.#notify(record, "fire", 0);
    } else if (!this.#fired.has(record.number)) {
      record.untoldFrom ??= this.#nowMs;
      record.untoldTo = this.#nowMs;
    }
  }

  #notify(
    record: IncidentRecord,
    kind: NoticeKind,
    n: number,
    channels: PlannedNotice["channels"] = null,
  ): void {
    const { number, incident } = record;
    const key = `${incident.id}.${kind}.${n}`;
    this.#outcome.notices.push({ number, key, incident: incident.id, kind, channels });
  }

  /** @throws Error when the book does not have the incident, although it has members of it. */
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

  /** The incident as the draft has it, at its next revision and noted as changed. */
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
