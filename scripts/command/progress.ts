// How far something is → one line on stderr: drawn over and over on a terminal, printed at steps elsewhere.
import { SingleBar } from "cli-progress";

export interface Progress {
  /** What is being done. */
  what: string;
  done: number;
  /** Undefined or 0: nobody knows yet, and no share is shown. */
  total?: number;
  /** False: there is work left that is not counted, so it is not 100 % yet. Absent: all is done when everything is counted. */
  isOver?: boolean;
  /** What is counted. */
  unit?: string;
  note?: string;
}

export interface ShownProgress {
  update(progress: Progress): void;
  /** Takes the line from the terminal. */
  stop(): void;
}

const BAR_CHARS = 30;
/** Where lines are printed, one comes each tenth of the way, each time so many more are done where no total is known, and so often. */
const PRINTED_EACH = { percent: 10, done: 100_000, ms: 30_000 };

const count = (value: number) => value.toLocaleString("en-US");

/** 0 to 100, and 100 only when all is done. `total` is known. */
const percentOf = ({ done, total = 0, isOver = true }: Progress) =>
  done >= total && isOver ? 100 : Math.min(99, Math.floor((done / total) * 100));

/** A share is shown where the total is known, else what is done so far. */
export function progressText(progress: Progress): string {
  const { what, done, total = 0, unit = "", note = "" } = progress;
  const words = (text: string) => [text, unit].filter((word) => word !== "").join(" ");
  if (total === 0) return parted(what, done === 0 ? "" : words(count(done)), note);
  const percent = percentOf(progress);
  const filled = Math.floor((percent * BAR_CHARS) / 100);
  const bar = `${"█".repeat(filled)}${"░".repeat(BAR_CHARS - filled)}`;
  return parted(
    `${bar} ${percent} %`,
    what,
    words(`${count(Math.min(done, total))} of ${count(total)}`),
    note,
  );
}

const parted = (...parts: string[]) => parts.filter((part) => part !== "").join("  ");

interface Printed {
  progress: Progress;
  atMs: number;
}

/** Whether `next` is to be printed after what was printed last; `atMs` counts up from anywhere. */
export function isDue(last: Printed | undefined, { progress, atMs }: Printed): boolean {
  if (last === undefined || last.progress.what !== progress.what) return true;
  if (atMs - last.atMs >= PRINTED_EACH.ms) return true;
  const { done, total = 0 } = progress;
  if (total === 0) return done - last.progress.done >= PRINTED_EACH.done;
  const tenths = (of: Progress) => Math.floor(percentOf(of) / PRINTED_EACH.percent);
  return tenths(progress) > tenths({ ...last.progress, total });
}

/** Shows progress on stderr. */
export function showProgress(stream: NodeJS.WriteStream = process.stderr): ShownProgress {
  if (!stream.isTTY) return printedProgress((line) => stream.write(`${line}\n`));
  const bar = new SingleBar({
    format: (_options, _params, { text }: { text: string }) => text,
    stream,
    hideCursor: true,
    clearOnComplete: true,
  });
  bar.start(1, 0, { text: "" });
  return { update: (progress) => bar.update(0, { text: progressText(progress) }), stop: () => bar.stop() };
}

function printedProgress(print: (line: string) => void): ShownProgress {
  let last: Printed | undefined;
  return {
    update(progress) {
      const next = { progress: { ...progress }, atMs: performance.now() };
      if (!isDue(last, next)) return;
      last = next;
      print(progressText(progress));
    },
    stop() {},
  };
}
