import type { ChainID, DiffID } from "../digest/chain-id.ts";
import type { ByteSource } from "../io/byte-source.ts";

/** Where one layer's tar lies in the whole. */
export interface TarPart {
  readonly diffID: DiffID;
  readonly chainID: ChainID;
  readonly offset: number;
  readonly size: number;
}

export interface ImageTar extends AsyncDisposable {
  readonly size: number;
  readonly parts: readonly TarPart[];
  stream(offset?: number): ByteSource;
  read(offset: number, length: number): Promise<Buffer>;
}
