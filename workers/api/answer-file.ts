// A GET or HEAD of one file of a bucket → its answer, as RFC 9110 has it: conditions, ranges, and what says which file it is.
import { httpDate, judge } from "../../core/http/preconditions.ts";
import { byteRange } from "../../core/http/range.ts";
import { Problem } from "../problem.ts";
import { fromStorage } from "./storage.ts";

/**
 * Returns the answer: 200, 206, 304, or a problem of 412 or 416; undefined: there is no such file. Asks the bucket
 * twice when a header may change what is sent, else once, and for no byte that is not sent.
 */
export async function answerFile(
  bucket: R2Bucket,
  key: string,
  request: Request,
): Promise<Response | undefined> {
  const isHead = request.method === "HEAD";
  const isPlain = ![...request.headers.keys()].some((name) => name === "range" || name.startsWith("if-"));
  if (isPlain && !isHead) {
    const object = await fromStorage("R2", bucket.get(key));
    return object === null ? undefined : whole(object, object.body);
  }
  const file = await fromStorage("R2", bucket.head(key));
  if (file === null) return undefined;
  const judged = judge(request.headers, { etag: file.httpEtag, modifiedMs: file.uploaded.getTime() });
  if (judged.kind === "failed")
    return refused("precondition_failed", `the file is ${file.httpEtag} now`, file);
  if (judged.kind === "unchanged") return new Response(null, { status: 304, headers: headersOf(file) });
  if (isHead) return whole(file, null); // a range is of GET only
  const range = byteRange(judged.isRangeValid ? request.headers.get("range") : null, file.size);
  if (range.kind === "beyond") {
    const response = refused("range_not_satisfiable", `the file has ${file.size} bytes`, file);
    response.headers.set("content-range", `bytes */${file.size}`);
    return response;
  }
  const [start, end] = range.kind === "part" ? [range.start, range.end] : [0, file.size];
  const asked = { range: { offset: start, length: end - start }, onlyIf: { etagMatches: file.etag } };
  const object = await fromStorage("R2", bucket.get(key, range.kind === "part" ? asked : {}));
  if (object === null) return undefined;
  const body = "body" in object ? object.body : null;
  if (body === null) throw new Problem("unavailable", `${key} was written anew meanwhile; ask again`);
  if (range.kind === "whole") return whole(object, body);
  const headers = headersOf(file, end - start);
  headers.set("content-range", `bytes ${start}-${end - 1}/${file.size}`);
  return new Response(body, { status: 206, headers });
}

const whole = (file: R2Object, body: ReadableStream | null) =>
  new Response(body, { headers: headersOf(file, file.size) });

function refused(
  code: "precondition_failed" | "range_not_satisfiable",
  why: string,
  file: R2Object,
): Response {
  const response = new Problem(code, `${why}; ask for it without the condition or range`).toResponse();
  for (const [name, value] of headersOf(file)) if (name !== "content-type") response.headers.set(name, value);
  return response;
}

/** Whoever keeps a copy asks whether it is still there: a device that is deleted takes its files along. */
function headersOf(file: R2Object, lengthBytes?: number): Headers {
  const headers = new Headers({
    "content-type": file.httpMetadata?.contentType ?? "application/vnd.apache.parquet",
    "accept-ranges": "bytes",
    "cache-control": "private, no-cache",
    etag: file.httpEtag,
    "last-modified": httpDate(file.uploaded.getTime()),
  });
  if (lengthBytes !== undefined) headers.set("content-length", String(lengthBytes));
  return headers;
}
