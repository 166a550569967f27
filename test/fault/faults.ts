// What can be broken, and how often: the closed list that the faulty Worker, the harness and the table share.
import type { Random } from "./chance.ts";

/** Injected inside the Worker, where they really happen. */
export const WORKER_FAULTS = [
  "queue refuses",
  "queue forgets",
  "queue doubles",
  "queue delays",
  "queue reorders",
  "message much later",
  "batch out of order",
  "batch delivered twice",
  "two consumers at once",
  "consumer dies before R2",
  "consumer dies between R2 and D1",
  "consumer dies between D1 and ack",
  "consumer dies before confirming",
  "confirmation lost",
  "D1 refuses",
  "D1 loses the answer",
  "D1 slow",
  "D1 silent",
  "R2 refuses",
  "R2 loses the answer",
  "R2 slow",
  "R2 silent",
  "alarm never fires",
  "object dies before the commit",
  "object dies in the commit",
  "object dies after the commit",
] as const;
export type WorkerFault = (typeof WORKER_FAULTS)[number];

/** Injected there too, in rounds of alerts. */
export const ALERT_FAULTS = [
  "consumer dies between channels",
  "zone dies before the commit",
  "zone dies in the commit",
  "zone dies after the commit",
  "channel dies before the commit",
  "channel dies in the commit",
  "channel dies after the commit",
] as const;
export type AlertFault = (typeof ALERT_FAULTS)[number];

/** How the receiver of a channel behaves. */
export const RECEIVER_FAULTS = [
  "receiver answers 500",
  "receiver cuts the line",
  "receiver takes it and answers too late",
] as const;
export type ReceiverFault = (typeof RECEIVER_FAULTS)[number];

/** Done to it from outside. */
export const OUTER_FAULTS = [
  "kill -9 of process and runtime",
  "kill -9 of the runtime first",
  "kill -9 that leaves the runtime a while",
  "socket cut",
  "request cut",
  "forced hibernation",
  "forced eviction",
  "device deleted under way",
] as const;
/** Done to it by its operator, in the midst of all that. */
export const OPERATOR_FAULTS = [
  "tenant's tokens revoked",
  "device's tokens revoked",
  "token revoked by id",
  "limits changed",
  "new secret beside the old",
  "old secret dropped",
  "sent with a void token",
  "stream of a revoked token",
  "sent beyond a limit",
  "given up at a limit",
] as const;
export type OperatorFault = (typeof OPERATOR_FAULTS)[number];

/** And in rounds of alerts. */
export const OUTER_ALERT_FAULTS = ["forced eviction of a zone", "forced eviction of a channel"] as const;
export type OuterFault = (typeof OUTER_FAULTS)[number] | (typeof OUTER_ALERT_FAULTS)[number];

export type Fault = WorkerFault | AlertFault | ReceiverFault | OuterFault | OperatorFault;
export type FaultCounts = Partial<Record<Fault, number>>;
export type FaultRates = Partial<Record<WorkerFault | AlertFault, number>>;
export type ReceiverRates = Partial<Record<ReceiverFault, number>>;

/** What the Worker is told: whether the n-th chance of a fault at a place strikes depends on this alone. */
export interface FaultOrder {
  seed: number;
  rates: FaultRates;
}

/** Rates that a round chooses from. Most faults: */
const RATES = [0, 0, 0.05, 0.15, 0.4];
/** Each frame of a socket is a chance for its object to die, and then a dozen of them are sent again. */
const RATES_PER_FRAME = [0, 0, 0.01, 0.04];
/** Only a batch is a chance, and a round has few. */
const RATES_PER_BATCH = [0, 0, 0.2, 0.5];
/** Each costs a second. */
const RATES_OF_SILENCE = [0, 0, 0.03, 0.1];

/** Each failure in a row doubles how long the channel waits. */
const RATES_OF_RECEIVER = [0, 0, 0.1, 0.3];

function ratesOf(fault: Fault): readonly number[] {
  if (/receiver/.test(fault)) return RATES_OF_RECEIVER;
  if (/(zone|channel) dies/.test(fault)) return RATES;
  if (/object dies/.test(fault)) return RATES_PER_FRAME;
  if (/silent/.test(fault)) return RATES_OF_SILENCE;
  return /batch|consumer|R2/.test(fault) ? RATES_PER_BATCH : RATES;
}

/**
 * The rates of a round. Some faults are left out of it and some are frequent: a round of all faults at once breaks each
 * time at the first of them, and never comes to those behind.
 */
export const drawRates = (random: Random): FaultRates => draw(random, WORKER_FAULTS);

/** Those of a round of alerts: what waits for a silent store, or for R2, says nothing of them. */
export const drawAlertRates = (random: Random): FaultRates =>
  draw(random, [...WORKER_FAULTS.filter((fault) => !/silent|R2/.test(fault)), ...ALERT_FAULTS]);

export const drawReceiverRates = (random: Random): ReceiverRates => draw(random, RECEIVER_FAULTS);

function draw<F extends Fault>(random: Random, faults: readonly F[]): Partial<Record<F, number>> {
  const rates: Partial<Record<F, number>> = {};
  for (const fault of faults) {
    const rate = random.pick(ratesOf(fault));
    if (rate > 0) rates[fault] = rate;
  }
  return rates;
}

export function addCounts(to: FaultCounts, more: FaultCounts): void {
  for (const [fault, count] of Object.entries(more) as [Fault, number][])
    to[fault] = (to[fault] ?? 0) + count;
}
