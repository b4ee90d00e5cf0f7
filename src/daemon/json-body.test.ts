import { expect, test } from "vitest";
import { sourceOf } from "../io/byte-source.ts";
import { parseJson } from "../json/json.ts";
import type { Call } from "./call.ts";
import { createBody } from "./create-body.ts";
import { jsonBody, plainOf, requiredBody } from "./json-body.ts";

const JSON_TYPE = "application/json";

function callWith(body: string, type: string | undefined = JSON_TYPE): Call {
  const headers = { "content-length": `${body.length}`, ...(type && { "content-type": type }) };
  return { headers, body: sourceOf(Buffer.from(body)) } as unknown as Call;
}

test.each([
  ['{"a":1}', JSON_TYPE, { a: 1 }],
  [' {"a":1} rubbish', "Application/JSON; charset=utf-8", { a: 1 }],
  ["null", JSON_TYPE, null],
])("the body %j of type %s is read as Go reads it", async (body, type, expected) => {
  expect(plainOf((await jsonBody(callWith(body, type)))!)).toEqual(expected);
});

test("no body needs no type, and nothing is nothing", async () => {
  expect(await jsonBody(callWith("", ""))).toBeUndefined();
  expect(await jsonBody(callWith(" \n"))).toBeUndefined();
  await expect(requiredBody(callWith(""))).rejects.toThrow("invalid JSON: got EOF while reading request body");
});

test.each([
  ["{}", "", "Content-Type specified () must be 'application/json'"],
  ["{}", "text/plain", "Content-Type specified (text/plain) must be 'application/json'"],
  ["{", JSON_TYPE, "invalid JSON: unexpected end of JSON input"],
  ["[]", JSON_TYPE, "invalid JSON: array where an object should be"],
  ["{'a':1}", JSON_TYPE, "invalid JSON: invalid character '\\'' looking for beginning of object key string"],
])("the body %j of type %j is a client's mistake", async (body, type, message) => {
  await expect(jsonBody(callWith(body, type))).rejects.toMatchObject({ code: "invalid-argument", message });
});

test("a body has an end, and a depth", async () => {
  await expect(jsonBody(callWith(`{"a":"${"x".repeat(5 << 20)}"}`))).rejects.toMatchObject({ code: "too-large" });
  const deep = `${'{"a":'.repeat(2000)}1${"}".repeat(2000)}`;
  expect(() => plainOf(parseJson(deep))).toThrow("invalid JSON: exceeded max depth");
});

test("an object that comes twice adds to itself, whatever its name", () => {
  const text = '{"__proto__":{"a":1},"Labels":{"a":"1","b":"1"},"Cmd":["a"],"Labels":{"b":"2"},"Cmd":["b"]}';
  expect(plainOf(parseJson(text))).toEqual({
    ["__proto__"]: { a: 1 },
    ...{ Labels: { a: "1", b: "2" }, Cmd: ["b"] },
  });
});

test("a body for a container comes apart into its three parts", () => {
  const text = '{"image":"a","hostconfig":{"Memory":0},"NetworkingConfig":null,"Memory":5,"Cpuset":"0","unheard":1}';
  expect(createBody(parseJson(text))).toEqual({
    config: { image: "a" },
    hostConfig: { Memory: 5, CpusetCpus: "0" },
    networkingConfig: undefined,
  });
  expect(createBody(parseJson('{"HostConfig":{}}'))).toEqual({
    ...{ config: undefined, hostConfig: {}, networkingConfig: undefined },
  });
  expect(createBody(undefined).config).toBeUndefined();
  expect(() => createBody(parseJson('{"HostConfig":5}'))).toThrow("invalid JSON: HostConfig is no object");
});
