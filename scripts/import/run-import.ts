// Files → the parts of an import on the server, and what could not be taken.
import { gunzipSync, gzipSync } from "node:zlib";
import { checkLine, type ImportCode, type ImportSpan, importSpan } from "../../core/job/check-import.ts";
import { type JobAnswer, partAnswer } from "../../schemas/job.ts";
import { tenantSettings } from "../../schemas/tenant.ts";
import { postReports } from "../replay/post-reports.ts";
import { isTransient, sleep } from "../replay/retry.ts";
import type { AdminClient } from "./admin-client.ts";
import { type Part, PartCollector } from "./collect-parts.ts";
import { type Format, readFile } from "./read-file.ts";
import type { Columns } from "./row.ts";

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
  onProgress(progress: { rows: number; readings: number }): void;
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
  /** Readings uploaded, posted to /v1/telemetry, and refused, here or there. */
  readings: number;
  posted: number;
  refused: number;
  /** The first thousand. */
  problems: Problem[];
}

/** The import was given up; nothing of it was stored but the recent rows it names. */
export class ImportStopped extends Error {
  override name = "ImportStopped";
}

/** Uploads everything and starts the job; one that cannot be started is given up. @throws ImportStopped, AdminFailure */
export async function runImport(options: ImportOptions): Promise<ImportResult> {
  const { client, zone } = options;
  const settings = tenantSettings.parse(await client.ask("GET", "/v1/tenant"));
  const span = importSpan(settings, Date.now());
  const job = await client.post("/v1/admin/import", { zone });
  try {
    return await upload(options, job, span);
  } catch (error) {
    await client.post(`/v1/admin/jobs/${job.id}/stop`).catch(() => undefined); // in a week it is given up anyway
    throw error;
  }
}

async function upload(options: ImportOptions, job: JobAnswer, span: ImportSpan): Promise<ImportResult> {
  const { client, files, columns } = options;
  const result: ImportResult = { job, rows: 0, readings: 0, posted: 0, refused: 0, problems: [] };
  const refuse = (readings: number, problems: readonly Problem[]) => {
    result.refused += readings;
    for (const problem of problems) if (result.problems.length < PROBLEMS_KEPT) result.problems.push(problem);
    if (options.strict && readings > 0) {
      const [first] = problems;
      throw new ImportStopped(`${first?.place}: ${first?.message}; ${storedText(result)}`);
    }
  };
  const uploads = new Uploads(client, job.id, refuse);
  const collector = new PartCollector();
  const recent = new RecentReports(options, result, refuse);
  for (const { path, format } of files) {
    for await (const { line, value, problem } of readFile(path, format, columns)) {
      if (options.signal.aborted) throw new ImportStopped(`interrupted; ${storedText(result)}`);
      result.rows += 1;
      const place = `${path}:${line}`;
      if (value === undefined) {
        refuse(1, [{ place, code: "unreadable", message: problem! }]);
        continue;
      }
      const { taken, refused, problems } = checkLine(value, line, Date.now(), span);
      const isRecent = problems[0]?.code === "too_recent" && options.gatewayToken !== undefined;
      if (isRecent) recent.add(value, path, line);
      else if (refused > 0)
        refuse(
          refused,
          problems.map(({ code, message }) => ({ place, code, message })),
        );
      if (taken !== undefined) {
        result.readings += taken.values.length;
        for (const part of collector.add(taken, place)) await uploads.add(part);
      }
      if (result.rows % 1_000 === 0) options.onProgress(result);
    }
  }
  for (const part of collector.finish()) await uploads.add(part);
  await uploads.finish();
  await recent.post();
  result.job = await client.post(`/v1/admin/import/${job.id}/start`);
  return result;
}

const storedText = ({ posted }: ImportResult) =>
  posted === 0
    ? "nothing was stored"
    : `nothing was imported, but ${posted} recent readings had been posted to /v1/telemetry`;

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
    if (answer.refused > 0) this.#refuse(answer.refused, problems);
  }
}

/** One request: rows of one file as NDJSON, zipped while they wait, and the lines they are on. */
interface RecentRequest {
  path: string;
  lines: number[];
  zipped: Uint8Array;
}

/** Rows that devices may still send themselves: kept until everything else is uploaded, then posted as a gateway's reports. */
class RecentReports {
  readonly #options: ImportOptions;
  readonly #result: ImportResult;
  readonly #refuse: Refuse;
  readonly #requests: RecentRequest[] = [];
  #path = "";
  #lines: number[] = [];
  #texts: string[] = [];
  #chars = 0;

  constructor(options: ImportOptions, result: ImportResult, refuse: Refuse) {
    this.#options = options;
    this.#result = result;
    this.#refuse = refuse;
  }

  add(value: object, path: string, line: number): void {
    const text = JSON.stringify(value);
    const isFull =
      this.#lines.length >= RECENT_A_REQUEST.rows || this.#chars + text.length > RECENT_A_REQUEST.chars;
    if (isFull || path !== this.#path) this.#close();
    this.#path = path;
    this.#lines.push(line);
    this.#texts.push(text);
    this.#chars += text.length;
  }

  #close(): void {
    if (this.#lines.length === 0) return;
    const zipped = gzipSync(this.#texts.join("\n"));
    this.#requests.push({ path: this.#path, lines: this.#lines, zipped });
    [this.#lines, this.#texts, this.#chars] = [[], [], 0];
  }

  async post(): Promise<void> {
    this.#close();
    for (const request of this.#requests) {
      if (this.#options.signal.aborted) throw new ImportStopped(`interrupted; ${storedText(this.#result)}`);
      await this.#send(request);
    }
  }

  async #send({ path, lines, zipped }: RecentRequest): Promise<void> {
    const { client, gatewayToken } = this.#options;
    const text = gunzipSync(zipped).toString();
    for (let tries = 0; ; tries++) {
      const { status, body, reason, retryAfterMs } = await postReports(client.url, gatewayToken!, text);
      if (isTransient(status) && tries < 20) {
        await sleep(retryAfterMs ?? 1_000);
        continue;
      }
      if (body === undefined)
        throw new ImportStopped(`/v1/telemetry: ${status} ${reason}; ${storedText(this.#result)}`);
      const { refused, problems, ...counts } = body;
      this.#result.posted += Object.values(counts).reduce((sum, count) => sum + count, 0);
      const listed = problems.map(({ index, code, message }) => ({
        place: `${path}:${lines[index]}`,
        code,
        message,
      }));
      if (refused > 0) this.#refuse(refused, listed);
      return;
    }
  }
}
