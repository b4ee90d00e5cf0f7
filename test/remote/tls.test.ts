import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Server } from "../../src/daemon/server.ts";
import { openStore } from "../../src/engine/store.ts";
import type { VarveError } from "../../src/errors.ts";
import { connectStore } from "../../src/remote/connect.ts";
import type { TlsFiles } from "../../src/remote/host.ts";
import { type CertificatePair, makeCertificates } from "../tools/certificates.ts";
import { lacking } from "../tools/dockerd.ts";
import { archiveOf, type Bench, LAYERS, localBench, pieces } from "./bench.ts";

const lack = lacking("openssl");

describe.skipIf(lack)(`a store behind TLS${lack ?? ""}`, () => {
  let bench: Bench;
  let server: Server;
  let host: string;
  let files: ReturnType<typeof makeCertificates>;
  beforeEach(async () => {
    bench = await localBench({ driver: "rootless" });
    files = makeCertificates(bench.directory);
    const own = await openStore({ root: bench.root, driver: "rootless", durability: "none", threads: 0 });
    const tls = tlsOf(files.authority, files.server);
    server = await Server.start(own, { places: [{ kind: "tcp", host: "127.0.0.1", port: 0 }], tls, log: () => {} });
    host = server.addresses[0]!;
  });
  afterEach(async () => {
    await server.stop(0);
    await bench[Symbol.asyncDispose]();
  });

  const tlsOf = (authority: CertificatePair, { certificate, key }: CertificatePair): TlsFiles => ({
    ...{ authority: authority.certificate, certificate, key },
  });
  const failure = (tls: TlsFiles | undefined): Promise<VarveError> =>
    connectStore({ host, tls, timeout: 5000 }).then(
      () => Promise.reject(new Error("it did not fail")),
      (error) => error as VarveError,
    );

  test("is used by who has a certificate of its authority", async () => {
    await using store = await connectStore({ host, tls: tlsOf(files.authority, files.client) });
    await store.load(pieces(archiveOf({ "a:1": LAYERS })));
    expect((await store.images())[0]!.tags).toEqual(["a:1"]);
  });

  test("is closed to everybody else, who is told why", async () => {
    const stranger = await failure(tlsOf(files.authority, files.stranger));
    expect([stranger.code, stranger.message]).toEqual(["unavailable", expect.stringContaining(host)]);
    expect(await failure(tlsOf(files.stranger, files.client))).toMatchObject({
      ...{ code: "unavailable", message: expect.stringMatching(/^cannot connect to the Varve daemon at .*: TLS: /) },
    });
    expect(await failure(undefined)).toMatchObject({
      message: `the Varve daemon at ${host} hung up: if it wants TLS, add --tlscacert, --tlscert and --tlskey`,
    });
    const broken = { ...tlsOf(files.authority, files.client), key: files.authority.certificate };
    expect(await failure(broken)).toMatchObject({
      code: "invalid-argument",
      message: expect.stringMatching(`^TLS: ${broken.key} is not the key of ${broken.certificate}: `),
    });
    expect(await failure({ ...broken, authority: files.client.key })).toMatchObject({
      code: "invalid-argument",
      message: expect.stringMatching(`^TLS: ${files.client.key} is no certificate in PEM: `),
    });
    expect(await failure({ ...broken, key: "/no/such" })).toMatchObject({
      ...{ code: "not-found", message: "TLS: open /no/such: no such file or directory" },
    });
  });
});
