/** What the commands need of the engine. */
import type { Store as EngineStore } from "../engine/store.ts";
import type { ByteSource } from "../io/byte-source.ts";

export type { RemovedItem } from "../engine/removal-model.ts";
export type { ContainerSummary } from "../engine/store.ts";

export interface LoadedImage {
  readonly id: string;
  readonly references: readonly string[];
}

export type LoadEvent =
  | { readonly kind: "layer"; readonly diffID: string; readonly current: number; readonly total: number | undefined }
  | { readonly kind: "layer-exists"; readonly diffID: string }
  | { readonly kind: "image"; readonly id: string; readonly references: readonly string[] }
  | { readonly kind: "renamed"; readonly reference: string; readonly previous: string };

interface Operation {
  readonly signal?: AbortSignal;
}

interface Pending {
  load(source: string | ByteSource, options?: Operation & { onEvent?(event: LoadEvent): void }): Promise<LoadedImage[]>;
  save(names: string[], options?: Operation & { format?: "docker" | "docker-25" | "oci" }): ByteSource;
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
