import type { Store } from "../../engine/store.ts";
import { version } from "../../engine/version.ts";
import { isVarveError, VarveError } from "../../errors.ts";
import { type ByteSource, writeAll } from "../../io/byte-source.ts";
import { writeFailure } from "../../remote/frames.ts";
import { METHODS, type Method, type MethodName } from "../../remote/methods.ts";
import {
  ANSWER_TYPE,
  CALL_TYPE,
  GREETING_PATH,
  type Greeting,
  PROTOCOL,
  pathOf,
  readArguments,
} from "../../remote/protocol.ts";
import { messageFor } from "../answer.ts";
import type { Call } from "../call.ts";
import { FrameOutput } from "../frame-output.ts";
import type { Route } from "../routes.ts";

/** The store itself, for Varve's own command and library: each method, as it is (`remote/protocol.ts`). */
export const VARVE_ROUTES: readonly Route[] = [
  { method: "GET", pattern: GREETING_PATH, handle: greet },
  ...(Object.keys(METHODS) as MethodName[]).map(
    (name): Route => ({
      method: "POST",
      pattern: pathOf(name),
      endless: METHODS[name].endless === true,
      handle: (call) => perform(call, name),
    }),
  ),
];

async function greet({ store, answer }: Call): Promise<void> {
  const { root, driver } = store;
  const greeting: Greeting = { protocol: PROTOCOL, version: version(), root, driver };
  await answer.json(greeting);
}

async function perform({ store, headers, body, answer, signal }: Call, name: MethodName): Promise<void> {
  const output = new FrameOutput(answer.stream(ANSWER_TYPE, { failure: failureFrame }));
  if (headers["content-type"] !== CALL_TYPE)
    throw new VarveError("invalid-argument", `a call is of the type ${CALL_TYPE}, not ${headers["content-type"]}`);
  const { given, stream } = await readArguments(body);
  const { takes, gives }: Method = METHODS[name];
  if (given.length > takes.length)
    throw new VarveError("invalid-argument", `${name} takes ${takes.length} arguments, not ${given.length}`, { name });
  const incoming = { stream, signal, tell: (listener: string, event: unknown) => output.tell(listener, event) };
  const received = takes.map((argument, i) => argument.receive(given[i], incoming, `argument ${i + 1} of ${name}`));
  const work = (): unknown => (store[name] as (...taken: readonly unknown[]) => unknown).apply(store, received);
  if (gives === "value") output.result(await work());
  else {
    // `saveTo` gives the same as `save`, and is quicker at it.
    if (name === "save") await store.saveTo(output.bytes(), ...(received as Parameters<Store["save"]>));
    else if (gives === "bytes") await writeAll(output.bytes(), work() as ByteSource);
    else await output.items(work() as AsyncIterable<unknown>);
    // What has no end of its own was ended by the signal, which is news to the caller.
    signal.throwIfAborted();
    output.result(undefined);
  }
  await answer.end();
}

function failureFrame(error: unknown): Buffer {
  return writeFailure(isVarveError(error) ? error : new VarveError("system", messageFor(error)));
}
