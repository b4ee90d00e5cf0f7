/** One run of the command: its global options, its streams, and the store, which is opened when it is first needed. */

import { fstatSync } from "node:fs";
import type { AnyStore } from "../engine/any-store.ts";
import type { Store } from "../engine/store.ts";
import type { V1Store } from "../engine/v1-store.ts";
import { VarveError } from "../errors.ts";
import type { MigrateOptions } from "../graph/migration/migration.ts";
import type { MigrationReport } from "../graph/migration/report.ts";
import { abortable, type ByteSource } from "../io/byte-source.ts";
import type { TlsFiles } from "../remote/host.ts";
import { ROOT_OPTIONS } from "./options.ts";
import { oneLine } from "./report.ts";
import { Output } from "./terminal.ts";

export interface GlobalOptions {
  readonly root?: string;
  readonly driver?: string;
  readonly usernsRemap?: string;
  readonly durability?: "none" | "layer" | "strict";
  readonly v1?: boolean;
  /** A daemon whose store is used instead of one of this machine. */
  readonly host?: string;
  readonly tlscacert?: string;
  readonly tlscert?: string;
  readonly tlskey?: string;
}

const STDIN = 0;

export class Session implements AsyncDisposable {
  readonly signal: AbortSignal;
  readonly output: Output = new Output(process.stdout);
  readonly errors: Output = new Output(process.stderr);
  readonly #options: GlobalOptions;
  readonly #quiet: boolean;
  #store: Promise<AnyStore> | undefined;

  constructor(options: GlobalOptions, signal: AbortSignal, { quiet = false }: { quiet?: boolean } = {}) {
    this.#options = options;
    this.#quiet = quiet;
    this.signal = signal;
  }

  /** Whether `v1Store` is asked for, not `store`. */
  get isV1(): boolean {
    return this.#options.v1 === true;
  }

  /** The store of Docker 1.9 and before. @throws VarveError */
  async v1Store(): Promise<V1Store> {
    const { V1Store } = await import("../engine/v1-store.ts");
    return await V1Store.open({ ...this.#options, onWarning: (message) => this.warn(message) });
  }

  /** Of this machine or of a daemon, which makes no difference to a command. @throws VarveError */
  store(): Promise<AnyStore> {
    const host = this.#host;
    this.#store ??= host === undefined ? this.#open() : this.#connect(host);
    return this.#store;
  }

  /** The store of this machine, for what only the process that opens it can do. @throws VarveError */
  ownStore(): Promise<Store> {
    const store = this.#open();
    this.#store = store;
    return store;
  }

  /** Brings the v1 graph of the root into its stores of today. @throws VarveError */
  async migrateGraph(options: Omit<MigrateOptions, "signal">): Promise<MigrationReport> {
    const { migrateOldGraph } = await import("../engine/old-graph.ts");
    const onWarning = (message: string): void => this.warn(message);
    return await migrateOldGraph({ ...this.#options, ...options, onWarning, signal: this.signal });
  }

  /**
   * Standard input as bytes.
   *
   * @throws VarveError `conflict` when it is a terminal, where nobody types a tar, `unsupported` when it is a directory
   */
  input(refusal: string): ByteSource {
    if (process.stdin.isTTY) throw new VarveError("conflict", refusal);
    // Node would give a directory as an empty stream.
    if (fstatSync(STDIN).isDirectory()) throw new VarveError("unsupported", "read standard input: is a directory");
    return abortable(process.stdin, this.signal);
  }

  warn(message: string): void {
    if (!this.#quiet) this.errors.write(`varve: warning: ${oneLine(message)}\n`);
  }

  /** Whoever names a data-root means that, whatever his environment says. */
  get #host(): string | undefined {
    const namesRoot = ROOT_OPTIONS.some((name) => this.#options[name] !== undefined);
    return this.#options.host ?? (namesRoot ? undefined : process.env.VARVE_HOST || undefined);
  }

  async #connect(host: string): Promise<AnyStore> {
    const { connectStore } = await import("../remote/connect.ts");
    return await connectStore({ host, tls: tlsFiles(this.#options) });
  }

  async #open(): Promise<Store> {
    if (tlsFiles(this.#options) !== undefined)
      throw new VarveError("invalid-argument", "--tlscacert, --tlscert and --tlskey are for -H tcp://HOST:PORT");
    const { openStore } = await import("../engine/store.ts");
    return await openStore({ ...this.#options, onWarning: (message) => this.warn(message) });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const store = await this.#store?.catch(() => undefined); // told where it was awaited
    await store?.close();
  }
}

/** @throws VarveError `invalid-argument` for some of them without the others */
export function tlsFiles(options: Pick<GlobalOptions, "tlscacert" | "tlscert" | "tlskey">): TlsFiles | undefined {
  const { tlscacert, tlscert, tlskey } = options;
  if (tlscacert === undefined && tlscert === undefined && tlskey === undefined) return undefined;
  if (tlscacert === undefined || tlscert === undefined || tlskey === undefined)
    throw new VarveError("invalid-argument", "TLS takes all three: --tlscacert, --tlscert and --tlskey");
  return { authority: tlscacert, certificate: tlscert, key: tlskey };
}
