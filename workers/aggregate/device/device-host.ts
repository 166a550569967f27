// What the parts of a device's object may ask of it.
import type { OpenBlock } from "../../../core/device/open-block.ts";
import type { SealedBlock } from "../../../core/device/seal.ts";
import type { DeviceState } from "../../../core/device/state.ts";
import type { PackedReports, Verdicts } from "../../../schemas/message.ts";

/** What one commit takes in beside what sockets hold, and what it does beside. */
export interface Work {
  /** Requests that wait together, in the order of their arrival. */
  requests?: readonly PackedReports[];
  /** Open blocks to seal although they are not due. */
  mustSeal?: (open: OpenBlock) => boolean;
  /** Ring slots to delete, unless a block sealed with the commit takes them. */
  deleted?: readonly number[];
}

/** What the device's object offers to its parts. */
export interface DeviceHost {
  /** The state in memory, else what is durable, else a new one. */
  load(): DeviceState;
  /**
   * The state of a device that has seen or committed something; undefined for an object somebody merely asked for.
   */
  loadKnown(): DeviceState | undefined;
  /**
   * Returns the state with its tenant's settings, at most an hour old; `refresh`: asked for anew. They stay when
   * nobody answers.
   */
  prepare(refresh?: boolean): Promise<DeviceState>;
  /**
   * Commits at `nowMs`, by the receipt clock. Returns the verdicts, in the order of the requests.
   * @throws what the storage throws; the state in memory is dropped then.
   */
  commit(nowMs: number, work?: Work): Verdicts[];
  /** Resolves when what was committed is durable. @throws what the storage throws. */
  sync(): Promise<void>;
  /** Sends sealed blocks to the queue once they are durable. Never fails: what the queue refuses stays in the outbox. */
  send(state: DeviceState, blocks: readonly SealedBlock[]): Promise<void>;
  /** Resolves when the queue has taken or refused what the last commit sealed. */
  sent(): Promise<void>;
  /** How long the device is asked to send no more, in ms; 0: it is not. */
  slowDownMs(): number;
  /** Makes `state` the object's state: the next life's, after a deletion. */
  begin(state: DeviceState): void;
}
