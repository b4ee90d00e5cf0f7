import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { VarveError } from "../errors.ts";
import { type Handler, RouteTable } from "./routes.ts";
import { NEWEST_VERSION, splitVersion } from "./versions.ts";

const nothing: Handler = async () => {};
const table = new RouteTable([
  { method: "GET", pattern: "/images/json", handle: nothing },
  { method: "GET", pattern: "/images/{name:.*}/json", handle: nothing },
  { method: "DELETE", pattern: "/images/{name:.*}", handle: nothing },
  { method: "POST", pattern: "/exec/{id}/start", handle: nothing },
]);

function find(method: string, target: string): { pattern: string; [parameter: string]: string } {
  const { path, version } = splitVersion(target);
  const { route, parameters } = table.find(method, path, version);
  return { pattern: route.pattern, ...parameters };
}

describe("a route", () => {
  const inspect = "/images/{name:.*}/json";
  test.each([
    ["GET", "/images/json", { pattern: "/images/json" }],
    ["GET", "/v1.41/images/json", { pattern: "/images/json" }],
    ["GET", "/v1.12/images/json", { pattern: "/images/json" }],
    ["GET", "/images/json/json", { pattern: inspect, name: "json" }],
    ["GET", "/images/localhost:5000/a/b@sha256:12/json", { pattern: inspect, name: "localhost:5000/a/b@sha256:12" }],
    ["GET", "/images/a%2Fb%3A1/json", { pattern: inspect, name: "a/b:1" }],
    ["GET", "/images/a%0Ab/json", { pattern: inspect, name: "a\nb" }],
    ["DELETE", "/images/json", { pattern: "/images/{name:.*}", name: "json" }],
    ["POST", "/exec/1/start", { pattern: "/exec/{id}/start", id: "1" }],
  ])("for %s %s is found", (method, target, found) => {
    expect(find(method, target)).toEqual(found);
  });

  test.each([
    ["POST", "/images/json"],
    ["GET", "/"],
    ["GET", ""],
    ["GET", "/images/json/"],
    ["GET", "/images//json"],
    ["GET", "/vx/images/json"],
    ["GET", "/v1.99/nowhere"],
    ["POST", "/exec/1/2/start"],
    ["GET", "/imagesXjson"],
  ])("for %s %s is not", (method, target) => {
    expect(() => find(method, target)).toThrow(
      expect.objectContaining({ code: "not-found", message: "page not found" }),
    );
  });

  test("is looked for without any other failure, whatever is asked for", () => {
    const method = fc.constantFrom("GET", "POST", "DELETE", "FOO");
    const part = fc.oneof(fc.constantFrom("images", "json", "v1.41", "v", "%", "%2f", "..", ""), fc.string());
    const target = fc.array(part).map((parts) => `/${parts.join("/")}`);
    fc.assert(
      fc.property(method, target, (verb, path) => {
        try {
          find(verb, path);
        } catch (error) {
          expect(["not-found", "invalid-argument"]).toContain((error as VarveError).code);
        }
      }),
    );
  });

  test("with an escape that is none is the client's mistake", () => {
    expect(() => find("GET", "/images/%zz/json")).toThrow(expect.objectContaining({ code: "invalid-argument" }));
  });
});

describe("a version", () => {
  test.each([
    [
      "1.11",
      "client version 1.11 is too old. Minimum supported API version is 1.12, please upgrade your client to a newer version",
    ],
    [
      "1.9",
      "client version 1.9 is too old. Minimum supported API version is 1.12, please upgrade your client to a newer version",
    ],
    [
      "1",
      "client version 1 is too old. Minimum supported API version is 1.12, please upgrade your client to a newer version",
    ],
    ["1.42", `client version 1.42 is too new. Maximum supported API version is ${NEWEST_VERSION}`],
    ["2", `client version 2 is too new. Maximum supported API version is ${NEWEST_VERSION}`],
    ["1.41.1", `client version 1.41.1 is too new. Maximum supported API version is ${NEWEST_VERSION}`],
  ])("%s is refused with Docker's words", (version, message) => {
    expect(() => find("GET", `/v${version}/images/json`)).toThrow(
      expect.objectContaining({ code: "invalid-argument", message }),
    );
  });

  test("may be written with zeros", () => {
    expect(find("GET", "/v01.041/images/json")).toEqual({ pattern: "/images/json" });
  });
});
