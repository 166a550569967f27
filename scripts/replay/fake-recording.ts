// A recording made up for tests: some devices, one report each a step.
import type { RecordedReport, Recording } from "../recordings/recording.ts";

export interface FakePlan {
  devices: number;
  steps: number;
  stepMs: number;
  startMs?: number;
}

export const FAKE_START_MS = Date.UTC(2020, 0, 1);

export function fakeRecording({ devices, steps, stepMs, startMs = FAKE_START_MS }: FakePlan): Recording {
  async function* read(): AsyncGenerator<RecordedReport> {
    for (let step = 0; step < steps; step++) {
      for (let index = 0; index < devices; index++) {
        const at = startMs + step * stepMs;
        yield { device: `device-${index}`, at, arrivedAt: at + 5, metrics: { a: step, b: index } };
      }
    }
  }
  return { kind: "nab", timeOrdered: true, read };
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
