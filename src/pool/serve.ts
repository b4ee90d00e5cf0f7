import { parentPort } from "node:worker_threads";
import { asVarveError, VarveError } from "../errors.ts";
import type { Jobs, Task } from "./pool.ts";
import { type Answer, type Call, toWire } from "./wire.ts";

/** Serves jobs in a worker, one after the other, for as long as it lives. To be called once, by its entry file. */
export function serve(jobs: Jobs): void {
  const port = parentPort!;
  const answer = (message: Answer): void => port.postMessage(message);
  port.on("message", async ({ job, input, flag }: Call) => {
    const task: Task = {
      note: (value) => answer({ kind: "note", value }),
      throwIfCancelled() {
        if (Atomics.load(flag, 0) !== 0) throw new VarveError("cancelled", "the operation was cancelled");
      },
    };
    try {
      answer({ kind: "done", value: await jobs[job]!(input as never, task) });
    } catch (error) {
      answer({ kind: "failed", error: toWire(asVarveError(error)) });
    }
  });
}
