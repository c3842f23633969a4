/** Reads an answer over HTTP; computed while we wait, if it is missing. */

export interface Answer<T> {
  state: "fresh" | "stale";
  result: T;
  age_s: number;
  why: string;
  etag: string;
}

export type Read<T> =
  | { kind: "answer"; answer: Answer<T> }
  | { kind: "unchanged" }
  | { kind: "computing"; jobId: string; retryAfterS: number }
  | { kind: "missing"; reason: string };

export interface Options {
  baseUrl: string;
  apiKey?: string;
  waitS?: number;
  etag?: string;
}

export async function readAnswer<T>(key: string, options: Options): Promise<Read<T>> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (options.apiKey) headers["Authorization"] = `Bearer ${options.apiKey}`;
  if (options.waitS) headers["Prefer"] = `wait=${options.waitS}`;
  if (options.etag) headers["If-None-Match"] = `"${options.etag}"`;
  const url = `${options.baseUrl}/api/precompute/cache/${encodeURIComponent(key)}`;
  // A little longer than the server waits, so that its answer arrives.
  const signal = AbortSignal.timeout(((options.waitS ?? 0) + 2) * 1000);
  const response = await fetch(url, { headers, signal });
  switch (response.status) {
    case 200:
      return { kind: "answer", answer: (await response.json()) as Answer<T> };
    case 304:
      return { kind: "unchanged" };
    case 202: {
      const body = (await response.json()) as { job_id: string };
      return { kind: "computing", jobId: body.job_id, retryAfterS: Number(response.headers.get("Retry-After") ?? 1) };
    }
    case 404: {
      const problem = (await response.json()) as { reason?: string };
      return { kind: "missing", reason: problem.reason ?? "no_answer" };
    }
    default:
      throw new Error(`precompute answered ${response.status}: ${await response.text()}`);
  }
}
