// Several streams of reports, each in time order → one in time order.
import type { RecordedReport } from "./recording.ts";

interface Head {
  report: RecordedReport;
  rest: AsyncIterator<RecordedReport>;
}

/**
 * Merges by `at`; reports of one instant come in the order of the streams. Holds one report a stream.
 * The scan for the least head is linear: the fleets merged so have a dozen members.
 */
export async function* mergeByTime(streams: AsyncIterable<RecordedReport>[]): AsyncGenerator<RecordedReport> {
  const iterators = streams.map((stream) => stream[Symbol.asyncIterator]());
  try {
    const first = await Promise.all(iterators.map((iterator) => iterator.next()));
    const heads: Head[] = first.flatMap((step, index) =>
      step.done ? [] : [{ report: step.value, rest: iterators[index]! }],
    );
    while (heads.length > 0) {
      let least = 0;
      for (let index = 1; index < heads.length; index++) {
        if (heads[index]!.report.at < heads[least]!.report.at) least = index;
      }
      const head = heads[least]!;
      yield head.report;
      const step = await head.rest.next();
      if (step.done) heads.splice(least, 1);
      else head.report = step.value;
    }
  } finally {
    await Promise.all(iterators.map((iterator) => iterator.return?.()));
  }
}
