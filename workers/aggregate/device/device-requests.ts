// Requests that wait together → one commit, and an answer to each when that is durable.
import type { PackedReports, Verdicts } from "../../../schemas/message.ts";
import type { DeviceHost } from "./device-host.ts";

/** Most bytes of reports that wait for the commit before theirs: an object shares 128 MB with others. */
const WAITING_BYTES_MAX = 16 * 1024 * 1024;

interface Waiting {
  reports: PackedReports;
  receivedAt: number;
  settle(verdicts: Verdicts): void;
  fail(error: unknown): void;
}

/** Group commit: while one commit becomes durable, what comes waits, and is committed together after it. */
export class DeviceRequests {
  readonly #host: DeviceHost;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #isCommitting = false;

  constructor(host: DeviceHost) {
    this.#host = host;
  }

  /** @throws Error when too much waits to take these too; a request alone always has room. */
  checkRoom({ rows }: PackedReports): void {
    if (this.#waitingBytes > 0 && this.#waitingBytes + rows.byteLength > WAITING_BYTES_MAX)
      throw new Error("too many reports wait for their commit; send them again");
  }

  /**
   * Commits reports received at `receivedAt`, epoch ms. Returns their verdicts once durable. @throws what the commit
   * throws.
   */
  async add(reports: PackedReports, receivedAt: number): Promise<Verdicts> {
    const { byteLength } = reports.rows;
    this.#waitingBytes += byteLength;
    try {
      return await this.#enqueue(reports, receivedAt);
    } finally {
      this.#waitingBytes -= byteLength;
    }
  }

  #enqueue(reports: PackedReports, receivedAt: number): Promise<Verdicts> {
    return new Promise<Verdicts>((settle, fail) => {
      this.#waiting.push({ reports, receivedAt, settle, fail });
      void this.#drain();
    });
  }

  async #drain(): Promise<void> {
    if (this.#isCommitting) return;
    this.#isCommitting = true;
    try {
      while (this.#waiting.length > 0) await this.#commitAll(this.#waiting.splice(0));
    } finally {
      this.#isCommitting = false;
    }
  }

  async #commitAll(group: Waiting[]): Promise<void> {
    try {
      const { generation } = await this.#host.prepare(); // of a next life, which has no settings yet
      const nowMs = Math.max(...group.map(({ receivedAt }) => receivedAt));
      const verdicts = this.#host.commit(nowMs, { requests: group.map(({ reports }) => reports) });
      await this.#host.sync();
      if (this.#host.load().generation !== generation) {
        this.#waiting.unshift(...group); // forgotten before it was answered: the next life takes it
        return;
      }
      for (const [index, waiting] of group.entries()) waiting.settle(verdicts[index]!);
    } catch (error) {
      for (const waiting of group) waiting.fail(error);
    }
  }
}
