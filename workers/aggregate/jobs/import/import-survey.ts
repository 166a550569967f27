// The parts of an import → what it holds, gathered once: devices, days, and where it ends.
import type { PartEntry } from "../../../../core/job/import-part.ts";
import { importPrefix, isPart, readEntries } from "../../../import-parts.ts";

/** What an import holds. PERSISTED in R2 until the import is done. */
export interface Survey {
  /** Every device, by name. */
  devices: string[];
  /** By UTC day, ascending: its readings, and which parts have some, in their order. */
  days: Record<string, { readings: number; parts: number[] }>;
  parts: string[];
  /** How many parts were looked into. */
  surveyed: number;
  /** Just after the last reading; 0: there is none. */
  endMs: number;
}

const PARTS_AT_ONCE = 50;

const surveyKey = (tenant: string, job: string) => `${importPrefix(tenant, job)}survey.json`;

/** Reads what was surveyed so far. @throws Error when it is gone from the bucket. */
export async function readSurvey(bucket: R2Bucket, tenant: string, job: string): Promise<Survey> {
  const object = await bucket.get(surveyKey(tenant, job));
  if (object === null)
    throw new Error(`${surveyKey(tenant, job)}, what the import holds, is gone from the bucket`);
  return await object.json<Survey>();
}

/**
 * Surveys at most 50 more parts, from the first if `isNew`. Returns the survey so far.
 * @throws when R2 fails; it may be repeated.
 */
export async function surveyParts(
  bucket: R2Bucket,
  tenant: string,
  job: string,
  isNew: boolean,
): Promise<Survey> {
  const survey = isNew ? await listParts(bucket, tenant, job) : await readSurvey(bucket, tenant, job);
  const numbers = [...survey.parts.keys()].slice(survey.surveyed, survey.surveyed + PARTS_AT_ONCE);
  const heads = await Promise.all(numbers.map((part) => readEntries(bucket, survey.parts[part]!)));
  const devices = new Set(survey.devices);
  for (const [i, entries] of heads.entries()) {
    for (const { device, date, readings, maxMs } of entries) {
      devices.add(device);
      survey.days[date] ??= { readings: 0, parts: [] };
      const day = survey.days[date];
      day.readings += readings;
      if (day.parts.at(-1) !== numbers[i]) day.parts.push(numbers[i]!);
      survey.endMs = Math.max(survey.endMs, maxMs + 1);
    }
  }
  survey.devices = [...devices].sort();
  survey.days = Object.fromEntries(Object.entries(survey.days).sort(([a], [b]) => (a < b ? -1 : 1)));
  survey.surveyed += numbers.length;
  await bucket.put(surveyKey(tenant, job), JSON.stringify(survey));
  return survey;
}

async function listParts(bucket: R2Bucket, tenant: string, job: string): Promise<Survey> {
  const parts: string[] = [];
  for (let cursor: string | undefined; ; ) {
    const listed = await bucket.list({ prefix: importPrefix(tenant, job), cursor });
    parts.push(...listed.objects.map(({ key }) => key).filter(isPart));
    if (!listed.truncated) return { devices: [], days: {}, parts, surveyed: 0, endMs: 0 };
    cursor = listed.cursor;
  }
}

/** Deletes all that the import has in R2. @throws when R2 fails; it may be repeated. */
export async function deleteParts(bucket: R2Bucket, tenant: string, job: string): Promise<void> {
  for (;;) {
    const { objects } = await bucket.list({ prefix: importPrefix(tenant, job) });
    if (objects.length === 0) return;
    await bucket.delete(objects.map(({ key }) => key));
  }
}

/** A block of a part, and which part it is of: of two values of a reading at a revision the later part's counts. */
export interface StagedEntry extends PartEntry {
  part: number;
  key: string;
}

/**
 * Returns the blocks that the parts have of a day of the survey, in the order of the parts.
 * @throws when a part is gone.
 */
export async function entriesOf(bucket: R2Bucket, survey: Survey, date: string): Promise<StagedEntry[]> {
  const found: StagedEntry[] = [];
  const { parts } = survey.days[date]!;
  for (let i = 0; i < parts.length; i += PARTS_AT_ONCE) {
    const some = parts.slice(i, i + PARTS_AT_ONCE);
    const heads = await Promise.all(some.map((part) => readEntries(bucket, survey.parts[part]!)));
    for (const [n, entries] of heads.entries()) {
      const [part, key] = [some[n]!, survey.parts[some[n]!]!];
      found.push(...entries.filter((entry) => entry.date === date).map((entry) => ({ ...entry, part, key })));
    }
  }
  return found;
}
