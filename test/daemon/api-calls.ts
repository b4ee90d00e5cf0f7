import type { ApiRequest } from "../tools/engine-api.ts";

export interface ApiCall extends ApiRequest {
  /** The heading in docs/engine-api.md under which it says why the answers are not the same. */
  readonly differs?: keyof typeof REASONS;
  /** Docker does one thing after the other in no certain order. */
  readonly unordered?: boolean;
  /** Of a document that is about the daemon itself, the fields that have to agree. */
  readonly only?: readonly string[];
}

export const REASONS = {
  mistakes: "A client's mistake is 400",
  archives: "What is wrong with an archive is said in other words",
  registries: "Registries are not spoken to",
  fetching: "Nothing is fetched for an import",
  until: "Lists of images take `until`",
  paths: "Paths are not cleaned",
  nothing: "No archive without images",
  running: "Containers do not run",
  places: "A container's files are told by their places in it",
  names: "Names that are no text can be copied",
  networks: "There are no networks",
  volumes: "Volumes come and go with containers",
} as const;

export function get(path: string, more: Partial<ApiCall> = {}): ApiCall {
  return { method: "GET", path, ...more };
}

export function post(path: string, more: Partial<ApiCall> = {}): ApiCall {
  return { method: "POST", path, ...more };
}

export function put(path: string, more: Partial<ApiCall> = {}): ApiCall {
  return { method: "PUT", path, ...more };
}

export function remove(path: string, more: Partial<ApiCall> = {}): ApiCall {
  return { method: "DELETE", path, ...more };
}

/** The parameter `filters`; a text stands as it is. */
export function filters(value: unknown): string {
  return `filters=${encodeURIComponent(typeof value === "string" ? value : JSON.stringify(value))}`;
}

/** A body of JSON; none for `undefined`. */
export function json(value: unknown): Pick<ApiCall, "body" | "headers"> {
  if (value === undefined) return {};
  return { body: JSON.stringify(value), headers: { "Content-Type": "application/json" } };
}
