// The gateway's API. Every answer that is not a success becomes an ApiError.

import { refuse, token } from "./session.js";

const BASE = "api/v1/epoch-training";
const PATIENCE = 30_000;

export class ApiError extends Error {
  /** status 0: the server could not be reached. errors: [{field, message}]. */
  constructor(status, message, errors = [], retryAfter = null) {
    super(message);
    Object.assign(this, { status, errors, retryAfter });
  }
}

/** The URL of a path of the API, with those parameters that are set. */
export function address(path, parameters = {}) {
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const query = new URLSearchParams(given).toString();
  return `${BASE}/${path}${query ? `?${query}` : ""}`;
}

/** A response whose status is a success; ApiError otherwise. */
export async function send(url, { method = "GET", headers = {}, body, signal, as } = {}) {
  const sent = as ?? token();
  let response;
  try {
    response = await fetch(url, {
      method,
      body,
      signal,
      cache: "no-store",
      credentials: "omit",
      headers: { ...headers, ...(sent ? { Authorization: `Bearer ${sent}` } : {}) },
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, String(error.message ?? error));
  }
  if (response.status === 401) refuse(sent);
  if (!response.ok) throw await problem(response);
  return response;
}

async function problem(response) {
  const wait = Number.parseFloat(response.headers.get("Retry-After") ?? "");
  const answer = await response.json().catch(() => ({}));
  const message = answer.message ?? (typeof answer.detail === "string" ? answer.detail : response.statusText);
  return new ApiError(response.status, message, errorsOf(answer), Number.isFinite(wait) ? wait : null);
}

function errorsOf(answer) {
  if (Array.isArray(answer.errors)) return answer.errors;
  if (!Array.isArray(answer.detail)) return [];
  return answer.detail.map(({ loc = [], msg = "" }) => ({
    field: loc.filter((part) => part !== "body").join("."),
    message: msg,
  }));
}

async function json(path, { parameters, ...options } = {}) {
  const url = address(path, parameters);
  const limit = AbortSignal.timeout(PATIENCE);
  try {
    return await (await send(url, { ...options, signal: limit })).json();
  } catch (error) {
    throw limit.aborted ? new ApiError(0, "timeout") : error;
  }
}

const id = encodeURIComponent;
const JSON_TYPE = { "Content-Type": "application/json" };

/** Who one is; `as` tries a token before it becomes the session's. */
export const me = (as) => json("me", { as });
export const job = async (task) => (await json(`jobs/${id(task)}`)).job;
export const history = (task, after = 0) => json(`history/${id(task)}`, { parameters: { after: after || undefined } });
export const pause = (task) => json(`pause/${id(task)}`, { method: "POST" });
export const resume = (task) => json(`resume/${id(task)}`, { method: "POST" });
export const result = async (task) => (await json(`result/${id(task)}`)).result;
/** keepCheckpoints null: as the manifest says. */
export const remove = (task, keepCheckpoints) =>
  json(`jobs/${id(task)}`, { method: "DELETE", parameters: { keep_checkpoints: keepCheckpoints } });
export const logs = (task, signal) =>
  send(address(`logs/${id(task)}`, { rank: 0, tail: 500, follow: true }), { signal });

/** All jobs that one may see, page by page. */
export async function jobs() {
  const found = [];
  let page = "";
  do {
    const answer = await json("jobs", { parameters: { limit: 500, page } });
    found.push(...answer.jobs);
    page = answer.next ?? "";
  } while (page);
  return found;
}

/** Start with the form's fields. */
export const start = (fields) => json("start", { method: "POST", body: JSON.stringify(fields), headers: JSON_TYPE });

/** Start, or only check, a manifest in YAML. */
export const submit = (manifest, { namespace, dryRun }) =>
  json("jobs", {
    method: "POST",
    body: manifest,
    headers: { "Content-Type": "application/yaml" },
    parameters: { namespace, dry_run: dryRun ? "true" : undefined },
  });

/** A small csv or parquet file becomes data that a training can read; returns what names it. */
export function upload(file, namespace) {
  const body = new FormData();
  body.append("file", file);
  return json("datasets", { method: "POST", body, parameters: { namespace } });
}
