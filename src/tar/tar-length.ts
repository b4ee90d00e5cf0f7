import { isVarveError, VarveError } from "../errors.ts";
import { readSplit } from "./assemble.ts";
import { TarReader } from "./reader.ts";

/**
 * How many bytes the tar has that a `tar-split.json.gz` stands for, without reading a file: what lies in segments, and
 * the payloads between them.
 *
 * @throws VarveError `corrupt`
 */
export async function tarLength(source: AsyncIterable<Uint8Array>): Promise<number> {
  let length = 0;
  let payload = 0;
  const sink = {
    raw() {},
    payload() {},
    header(header: { readonly payloadSize: number }) {
      payload = header.payloadSize;
    },
  };
  const reader = new TarReader(sink, { specialBytes: LARGEST_STORED_RECORD });
  try {
    for await (const batch of readSplit(source))
      for (const entry of batch) {
        if (entry.kind === "segment") {
          length += entry.bytes.length;
          reader.write(entry.bytes);
        } else if (entry.size > 0 && payload > 0) {
          length += entry.size;
          reader.skipPayload();
        }
      }
  } catch (error) {
    if (!isVarveError(error, "invalid-archive")) throw error;
    throw new VarveError("corrupt", `tar-split: ${error.message}`, error.details, error);
  }
  return length;
}

const LARGEST_STORED_RECORD = 16 << 20;
