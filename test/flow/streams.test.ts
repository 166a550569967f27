// What viewers and readers of files meet on the wire: closes that end, viewers that vanish, ranges as a Parquet reader asks for them.
import { gunzipSync } from "node:zlib";
import { asyncBufferFromUrl, parquetMetadataAsync, parquetReadObjects } from "hyparquet";
import { expect, it } from "vitest";
import { archiveAnswer } from "../../schemas/query.ts";
import { frameBytes, RawSocket } from "./raw-socket.ts";
import { eachSharedTopology } from "./topology.ts";
import { until } from "./until.ts";

eachSharedTopology((server) => {
  it("[L20] a socket that we close ends when the client has answered, and has said anything before", async () => {
    const tenant = server.tenant("closing");
    await tenant.send({ metrics: { a: 1 } }, "d1");
    const token = await tenant.token("device", "d1");
    const open = async () => {
      const socket = await RawSocket.open(`${tenant.url}/v1/connect`, token);
      socket.write(frameBytes(Buffer.from("ping")));
      await socket.next("pong");
      return socket;
    };
    const sockets = [];
    for (let i = 0; i < 5; i++) sockets.push(await open());
    expect(await sockets[0]!.closedByServer()).toBe(4001);
    const deleted = await tenant.ask("/v1/devices/d1", {
      method: "DELETE",
      token: await tenant.token("admin"),
    });
    expect(deleted.status).toBe(202);
    expect(await Promise.all(sockets.slice(1).map((socket) => socket.closedByServer()))).toEqual([
      4003, 4003, 4003, 4003,
    ]);
  });

  it("[L21] [L17] event streams whose readers vanish free their places", async () => {
    const tenant = server.tenant("vanishing");
    const headers = { authorization: `Bearer ${await tenant.token("viewer")}`, accept: "text/event-stream" };
    for (let i = 0; i < 70; i++) {
      const leave = new AbortController();
      const response = await until("a place", async () => {
        const answer = await fetch(`${tenant.url}/v1/zones/default/stream`, {
          headers,
          signal: leave.signal,
        });
        return answer.status === 200 ? answer : undefined;
      });
      await response.body!.getReader().read();
      leave.abort();
    }
  });

  it("[Q37] a Parquet reader over HTTP gets its ranges, and no byte beside them", async () => {
    const tenant = server.tenant("ranged");
    const at = Date.now() - 7_200_000;
    const reports = Array.from({ length: 10_000 }, (_, i) => ({
      at: at + i * 100,
      metrics: { a: Math.sin(i) * i, b: Math.cos(i) * i, c: Math.sqrt(i) },
    }));
    await tenant.send(reports, "d1");
    await tenant.seal("d1");
    const file = await until("a file", async () => {
      const { files } = archiveAnswer.parse((await tenant.get("/v1/archive?limit=10")).body);
      return files.find(({ rows }) => rows > 20_000);
    });
    const served: { method: string; status: number; bytes: number }[] = [];
    const headers = { authorization: `Bearer ${await tenant.token("viewer")}` };
    const counting: typeof fetch = async (input, init) => {
      const response = await fetch(input, init);
      const bytes = Number(response.headers.get("content-length"));
      served.push({ method: init?.method ?? "GET", status: response.status, bytes });
      return response;
    };
    const url = `${tenant.url}/v1/archive/${file.key}`;
    const buffer = await asyncBufferFromUrl({ url, requestInit: { headers }, fetch: counting });
    expect(buffer.byteLength).toBe(file.bytes);
    const metadata = await parquetMetadataAsync(buffer, { initialFetchSize: 8_192 });
    const GZIP = (bytes: Uint8Array) => gunzipSync(bytes);
    const read = { file: buffer, metadata, columns: ["metric"], compressors: { GZIP } };
    const rows = await parquetReadObjects(read);
    expect(new Set(rows.map(({ metric }) => metric))).toEqual(new Set(["a", "b", "c"]));
    const [head, ...parts] = served;
    expect(head).toEqual({ method: "HEAD", status: 200, bytes: file.bytes });
    expect(parts.map(({ status }) => status)).toEqual(parts.map(() => 206));
    expect(parts.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThan(file.bytes / 4);
  });
});
