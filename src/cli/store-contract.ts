/** What the commands need of the engine. */
import type { Store as EngineStore } from "../engine/store.ts";
import type { ByteSource } from "../io/byte-source.ts";

interface Operation {
  readonly signal?: AbortSignal;
}

interface Pending {
  import(
    source: string | ByteSource,
    options?: Operation & { reference?: string; message?: string; changes?: string[] },
  ): Promise<string>;
  commit(
    container: string,
    options?: Operation & { reference?: string; author?: string; message?: string; changes?: string[] },
  ): Promise<string>;
  export(container: string): ByteSource;
}
export type Store = EngineStore & Pending;
