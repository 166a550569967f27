// What was sent to a viewer and what it acknowledged → when it is asked, and when it is cut.

/** A viewer is asked to acknowledge after so many bytes. */
export const ASK_EVERY_BYTES = 256 * 1024;
/** So many bytes after it was asked, who did not answer is cut. */
export const UNANSWERED_BYTES_MAX = 1_000_000;

/** What is written down of it may be so many bytes behind: to write at each frame would double what a frame costs. */
const UNWRITTEN_BYTES_MAX = 4 * 1024;

/**
 * PERSISTED: in the attachment of a viewer's socket, new fields optional. `bytes`: sent since it was asked last.
 * `askedSeq`: the frame whose receipt it was asked to acknowledge, and has not; absent: nothing is asked.
 */
export interface Credit {
  bytes: number;
  askedSeq?: number | undefined;
}

export const FULL_CREDIT: Credit = { bytes: 0 };

/** Whether a frame of so many bytes is one too many for a viewer that does not answer. */
export const isOverdrawn = ({ bytes, askedSeq }: Credit, frameBytes: number): boolean =>
  askedSeq !== undefined && bytes + frameBytes > UNANSWERED_BYTES_MAX;

/**
 * Returns what a viewer owes after a frame was sent to it; `askedSeq` is then that frame's when the viewer is to be asked
 * now.
 */
export function afterSending({ bytes, askedSeq }: Credit, frame: { bytes: number; seq: number }): Credit {
  const sent = bytes + frame.bytes;
  return askedSeq === undefined && sent >= ASK_EVERY_BYTES
    ? { bytes: 0, askedSeq: frame.seq }
    : { bytes: sent, askedSeq };
}

/**
 * Returns what a viewer owes that says it has received frame `seq`. Only the number that it was asked for counts, for no
 * other is known to have been read.
 */
export const afterAnswer = (credit: Credit, seq: number): Credit =>
  credit.askedSeq === seq ? { bytes: credit.bytes } : credit;

/** Whether what a viewer owes is to be written down. */
export const isToBeWritten = (before: Credit, after: Credit): boolean =>
  before.askedSeq !== after.askedSeq ||
  Math.floor(before.bytes / UNWRITTEN_BYTES_MAX) !== Math.floor(after.bytes / UNWRITTEN_BYTES_MAX);

/** Returns what a viewer may owe whose object slept, by what was written down: at most so much, never less. */
export const afterSleep = ({ bytes, askedSeq }: Credit = FULL_CREDIT): Credit => ({
  bytes: bytes + UNWRITTEN_BYTES_MAX,
  askedSeq,
});
