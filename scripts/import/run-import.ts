// Files → the parts of an import on the server, and what could not be taken.
import { gunzipSync, gzipSync } from "node:zlib";
import {
  checkLine,
  type ImportCode,
  type ImportSpan,
  importSpan,
  isNote,
} from "../../core/job/check-import.ts";
import { compareRevisions } from "../../core/job/import-part.ts";
import { LIMIT_CODES } from "../../schemas/codes.ts";
import { type JobAnswer, partAnswer } from "../../schemas/job.ts";
import type { Report } from "../../schemas/reading.ts";
import { tenantSettings } from "../../schemas/tenant.ts";
import { limitedOf, postReports } from "../replay/post-reports.ts";
import { isTransient, sleep } from "../replay/retry.ts";
import type { AdminClient } from "./admin-client.ts";
import { type Part, PartCollector } from "./collect-parts.ts";
import { type Format, readFile } from "./read-file.ts";
import type { Columns, Row } from "./row.ts";

const UPLOADS_AT_ONCE = 4;
const PROBLEMS_KEPT = 1_000;
const RECENT_A_REQUEST = { rows: 1_000, chars: 2_000_000 };

export interface ImportOptions {
  client: AdminClient;
  files: readonly { path: string; format: Format }[];
  columns: Columns;
  zone: string;
  /** Posts what is within the lateness horizon to /v1/telemetry; without it such rows are refused. */
  gatewayToken: string | undefined;
  /** Stops at the first row that cannot be taken, before anything is stored; only recent rows may be by then, and it says so. */
  strict: boolean;
  signal: AbortSignal;
  onProgress(progress: { path: string; rows: number; readings: number }): void;
}

export interface Problem {
  /** `file:line` */
  place: string;
  code: ImportCode | "unreadable";
  message: string;
}

export interface ImportResult {
  job: JobAnswer;
  rows: number;
  /** Readings uploaded, and refused, here or by the server. */
  readings: number;
  refused: number;
  /** Of the readings that went to /v1/telemetry: taken, there already, and with another value than before. */
  posted: number;
  postedKnown: number;
  postedCorrected: number;
  /** The first thousand. */
  problems: Problem[];
}

/** The import was given up; nothing of it was stored but the recent rows it names. */
export class ImportStopped extends Error {
  override name = "ImportStopped";
}

/**
 * Uploads everything and starts the job; one that cannot be started is given up. The files were looked into before.
 * @throws ImportStopped, AdminFailure, or an Error that names a file
 */
export async function runImport(options: ImportOptions): Promise<ImportResult> {
  const { client, zone, signal } = options;
  const settings = tenantSettings.parse(await client.ask("GET", "/v1/tenant"));
  const span = importSpan(settings, Date.now());
  const result: ImportResult = {
    job: await client.post("/v1/admin/import", { zone }),
    rows: 0,
    readings: 0,
    refused: 0,
    posted: 0,
    postedKnown: 0,
    postedCorrected: 0,
    problems: [],
  };
  const { id } = result.job;
  try {
    await upload(options, result, span);
    return result;
  } catch (error) {
    const known = await client.post(`/v1/admin/jobs/${id}/stop`).catch(() => undefined);
    const reason =
      signal.aborted && !(error instanceof ImportStopped) ? interrupted(result) : (error as Error);
    if (known === undefined)
      reason.message += `; the server was not reached to tell it, and discards import ${id} in a week`;
    throw reason;
  }
}

async function upload(options: ImportOptions, result: ImportResult, span: ImportSpan): Promise<void> {
  const { client, files, columns } = options;
  const notes: Problem[] = []; // apart: what was refused is listed first of all
  const refuse = (readings: number, problems: readonly Problem[]) => {
    result.refused += readings;
    for (const problem of problems) {
      const list = isNote(problem.code) ? notes : result.problems;
      if (list.length < PROBLEMS_KEPT) list.push(problem);
    }
    if (options.strict && readings > 0) {
      const [first] = problems;
      throw new ImportStopped(`${first?.place}: ${first?.message}; ${storedText(result)}`);
    }
  };
  const uploads = new Uploads(client, result.job.id, refuse);
  const collector = new PartCollector();
  const recent = new RecentReports(options, result, refuse);
  for (const { path, format } of files) {
    for await (const { line, value, written, problem, refused: unread = [] } of readFile(
      path,
      format,
      columns,
    )) {
      if (options.signal.aborted) throw interrupted(result);
      result.rows += 1;
      const place = `${path}:${line}`;
      if (value === undefined) {
        refuse(1, [{ place, code: "unreadable", message: problem! }]);
        continue;
      }
      if (unread.length > 0)
        refuse(
          unread.length,
          unread.map(({ code, message }) => ({ place, code, message })),
        );
      const { taken, refused, problems } = checkLine(value, line, Date.now(), span, written);
      if (problems[0]?.code === "too_recent" && options.gatewayToken !== undefined)
        recent.add(value, path, line);
      else if (problems.length > 0)
        refuse(
          refused,
          problems.map(({ code, message }) => ({ place, code, message })),
        );
      if (taken !== undefined) {
        result.readings += taken.values.length;
        for (const part of collector.add(taken, place)) await uploads.add(part);
      }
      if (result.rows % 1_000 === 0) options.onProgress({ path, ...result });
    }
  }
  for (const part of collector.finish()) await uploads.add(part);
  await uploads.finish();
  await recent.post();
  result.problems.push(...notes.slice(0, PROBLEMS_KEPT - result.problems.length));
  result.job = await client.post(`/v1/admin/import/${result.job.id}/start`);
}

const storedText = ({ posted, postedCorrected }: ImportResult) =>
  posted + postedCorrected === 0
    ? "nothing was stored"
    : `nothing was imported, but ${posted + postedCorrected} recent readings had been posted to /v1/telemetry`;

const interrupted = (result: ImportResult) =>
  new ImportStopped(`interrupted, so the import is given up: ${storedText(result)}`);

type Refuse = (readings: number, problems: readonly Problem[]) => void;

/** Uploads some parts at once; parts have their numbers in the order they were added. */
class Uploads {
  readonly #client: AdminClient;
  readonly #job: string;
  readonly #refuse: Refuse;
  readonly #running = new Set<Promise<void>>();
  #next = 0;

  constructor(client: AdminClient, job: string, refuse: Refuse) {
    this.#client = client;
    this.#job = job;
    this.#refuse = refuse;
  }

  async add(part: Part): Promise<void> {
    const upload = this.#send(this.#next++, part).finally(() => this.#running.delete(upload));
    upload.catch(() => undefined); // thrown where it is awaited
    this.#running.add(upload);
    if (this.#running.size >= UPLOADS_AT_ONCE) await Promise.race(this.#running);
  }

  async finish(): Promise<void> {
    await Promise.all(this.#running);
  }

  async #send(number: number, { text, places }: Part): Promise<void> {
    const headers = { "content-type": "application/x-ndjson", "content-encoding": "gzip" };
    const path = `/v1/admin/import/${this.#job}/parts/${number}`;
    const answer = partAnswer.parse(
      await this.#client.ask("PUT", path, new Uint8Array(gzipSync(text)), headers),
    );
    const problems = answer.problems.map(({ line, code, message }) => ({
      place: places[line - 1]!,
      code,
      message,
    }));
    this.#refuse(answer.refused, problems);
  }
}

/** One request: rows of one file as NDJSON, zipped while they wait, and the lines they are on. */
interface RecentRequest {
  revision: number | undefined;
  path: string;
  lines: number[];
  zipped: Uint8Array;
}

/** Rows of one revision that are not a request yet. */
interface OpenRequest {
  lines: number[];
  texts: string[];
  chars: number;
}

/**
 * Rows that devices may still send themselves: kept until everything else is uploaded, then posted as a gateway's reports,
 * the lower revisions first, for the door takes the later value.
 */
class RecentReports {
  readonly #options: ImportOptions;
  readonly #result: ImportResult;
  readonly #refuse: Refuse;
  readonly #requests: RecentRequest[] = [];
  readonly #open = new Map<number | undefined, OpenRequest>();
  #path = "";

  constructor(options: ImportOptions, result: ImportResult, refuse: Refuse) {
    this.#options = options;
    this.#result = result;
    this.#refuse = refuse;
  }

  add({ revision, ...report }: NonNullable<Row["value"]>, path: string, line: number): void {
    if (path !== this.#path) this.#closeAll();
    this.#path = path;
    const text = JSON.stringify(report);
    const known = this.#open.get(revision);
    const isFull =
      known !== undefined &&
      (known.lines.length >= RECENT_A_REQUEST.rows || known.chars + text.length > RECENT_A_REQUEST.chars);
    if (isFull) this.#close(revision, known);
    const open = isFull || known === undefined ? { lines: [], texts: [], chars: 0 } : known;
    this.#open.set(revision, open);
    open.lines.push(line);
    open.texts.push(text);
    open.chars += text.length;
  }

  #close(revision: number | undefined, { lines, texts }: OpenRequest): void {
    this.#requests.push({ revision, path: this.#path, lines, zipped: gzipSync(texts.join("\n")) });
  }

  #closeAll(): void {
    for (const [revision, open] of this.#open) this.#close(revision, open);
    this.#open.clear();
  }

  async post(): Promise<void> {
    this.#closeAll();
    for (const request of this.#requests.sort(compareRevisions)) {
      if (this.#options.signal.aborted) throw interrupted(this.#result);
      await this.#send(request);
    }
  }

  async #send({ path, lines, zipped }: RecentRequest): Promise<void> {
    const { client, gatewayToken, signal } = this.#options;
    let left = gunzipSync(zipped).toString().split("\n");
    let places = lines;
    for (let tries = 0; ; tries++) {
      const sent = await postReports(client.url, gatewayToken!, left.join("\n"));
      const { status, body, reason, retryAfterMs } = sent;
      const isLimited = body?.limitedReports !== undefined;
      if (isTransient(status) && !isLimited && tries < 20 && !signal.aborted) {
        await sleep(retryAfterMs ?? 1_000, signal);
        continue;
      }
      if (body === undefined)
        throw new ImportStopped(`/v1/telemetry: ${status} ${reason}; ${storedText(this.#result)}`);
      const { stored = 0, late = 0, quarantined = 0, refused, problems, duplicate = 0, corrected = 0 } = body;
      this.#result.posted += stored + late + quarantined;
      this.#result.postedKnown += duplicate;
      this.#result.postedCorrected += corrected;
      const again = isLimited ? limitedOf(left, body) : [];
      const listed = problems
        .filter(({ code }) => again.length === 0 || !isLimit(code))
        .map(({ index, code, message }) => ({ place: `${path}:${places[index]}`, code, message }));
      this.#refuse(refused - readingsIn(again), listed);
      if (again.length === 0) return;
      [left, places] = [again, limitedOf(places, body)];
      await sleep(retryAfterMs ?? 1_000, signal);
      if (signal.aborted) throw interrupted(this.#result);
    }
  }
}

const isLimit = (code: string) => (LIMIT_CODES as readonly string[]).includes(code);

/** How many readings lines have that were sent. */
const readingsIn = (lines: readonly string[]): number =>
  lines.reduce((sum, line) => sum + Object.keys((JSON.parse(line) as Report).metrics).length, 0);
