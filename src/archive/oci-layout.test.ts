import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { isVarveError } from "../errors.ts";
import { sourceOf } from "../io/byte-source.ts";
import {
  ArchiveBench,
  type MadeImage,
  makeImage,
  makeLayer,
  type OciBlob,
  OciLayout,
} from "../testing/archive-bench.ts";
import { type TarEntry, tarOf } from "../testing/tar-entries.ts";
import type { Stores } from "./archive.ts";
import { type LoadedImage, load } from "./load.ts";
import type { Platform } from "./platform.ts";

const AMD64: Platform = { os: "linux", architecture: "amd64", variant: "" };
const ARM64: Platform = { os: "linux", architecture: "arm64", variant: "v8" };
const ARMV7: Platform = { os: "linux", architecture: "arm", variant: "v7" };
const ARMV6: Platform = { os: "linux", architecture: "arm", variant: "v6" };
const S390X: Platform = { os: "linux", architecture: "s390x", variant: "" };

const layer = makeLayer("amd64");
const image = makeImage([layer, makeLayer("second")]);
const armImage = makeImage([makeLayer("arm64")], { architecture: "arm64" });

describe("an OCI layout", () => {
  let bench: ArchiveBench;
  let stores: Stores;
  let layout: OciLayout;
  beforeEach(async () => {
    bench = new ArchiveBench();
    stores = await bench.stores();
    layout = new OciLayout();
  });
  afterEach(() => bench.dispose());

  function loadMembers(members: readonly TarEntry[], platform: Platform = AMD64): Promise<LoadedImage[]> {
    return load(sourceOf(tarOf(members)), stores, { temporary: bench.temporary, platform });
  }

  async function refused(members: readonly TarEntry[], platform?: Platform): Promise<string> {
    const error = await loadMembers(members, platform).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(isVarveError(error)).toBe(true);
    expect(stores.images.map().size).toBe(0);
    expect(stores.layers.map().size).toBe(0);
    return (error as Error).message;
  }

  test.each<[string, Readonly<Record<string, string>> | undefined, string[]]>([
    ["containerd's whole name", { "io.containerd.image.name": "docker.io/library/app:1" }, ["app:1"]],
    [
      "Docker's, with the tag beside it",
      { "io.containerd.image.name": "docker.io/library/app:1", "org.opencontainers.image.ref.name": "1" },
      ["app:1"],
    ],
    ["skopeo's whole name", { "org.opencontainers.image.ref.name": "reg.local/app:2" }, ["reg.local/app:2"]],
    ["a name without a tag", { "org.opencontainers.image.ref.name": "reg.local/app" }, ["reg.local/app:latest"]],
    ["a bare tag, which names nothing", { "org.opencontainers.image.ref.name": "1.0" }, []],
    ["what is no name", { "io.containerd.image.name": "not a name" }, []],
    ["a digest, which is no tag", { "io.containerd.image.name": `app@${image.id}` }, []],
    ["none", undefined, []],
  ])("is named by %s", async (_, annotations, references) => {
    const manifest = layout.addImage(image);
    expect(await loadMembers(layout.members([{ ...manifest, annotations }]))).toEqual([{ id: image.id, references }]);
  });

  test("has compressed layers, and Docker's media types", async () => {
    const config = layout.add("application/vnd.docker.container.image.v1+json", image.raw);
    const layers = image.layers.map((tar) =>
      layout.add("application/vnd.docker.image.rootfs.diff.tar.gzip", gzipSync(tar)),
    );
    const mediaType = "application/vnd.docker.distribution.manifest.v2+json";
    const manifest = layout.add(mediaType, { schemaVersion: 2, mediaType, config, layers });
    expect(await loadMembers(layout.members([manifest]))).toEqual([{ id: image.id, references: [] }]);
  });

  test("may have attestations beside the image that look like images", async () => {
    const statement = makeImage([Buffer.from("{}")], { architecture: "unknown", os: "unknown" });
    const attestation = { ...layout.addImage(statement), annotations: REFERENCE };
    const signature = { ...layout.addImage(armImage), artifactType: "application/vnd.example.signature" };
    const config = layout.add("application/vnd.oci.image.config.v1+json", makeImage([Buffer.from("[]")]).raw);
    const layers = [layout.add("application/vnd.dev.cosign.simplesigning.v1+json", Buffer.from("[]"))];
    const unmarked = layout.addManifest({ config, layers });
    const members = layout.members([attestation, layout.addImage(image), signature, unmarked]);
    expect(await loadMembers(members)).toEqual([{ id: image.id, references: [] }]);
  });

  test("gives one image all the names that it has", async () => {
    const manifest = layout.addImage(image);
    const named = ["app:1", "app:2"].map((name) => ({
      ...manifest,
      annotations: { "io.containerd.image.name": `docker.io/library/${name}` },
    }));
    expect(await loadMembers(layout.members(named))).toEqual([{ id: image.id, references: ["app:1", "app:2"] }]);
  });

  describe("for several platforms", () => {
    function variants(): [OciBlob & { platform: Platform }, OciBlob & { platform: Platform }] {
      return [
        { ...layout.addImage(armImage), platform: ARM64 },
        { ...layout.addImage(image), platform: AMD64 },
      ];
    }

    test.each<[string, Platform, MadeImage]>([
      ["amd64", AMD64, image],
      ["arm64", ARM64, armImage],
      ["arm64 whose variant is left out", { ...ARM64, variant: "" }, armImage],
    ])("gives the one for %s, out of an index and side by side", async (_, platform, expected) => {
      const nested = layout.addIndex([layout.addIndex(variants())]);
      for (const top of [[nested], variants()]) {
        const fresh = await bench.otherStores();
        const input = sourceOf(tarOf(layout.members(top)));
        const loaded = await load(input, fresh, { temporary: bench.temporary, platform });
        expect(loaded).toEqual([{ id: expected.id, references: [] }]);
      }
    });

    test("passes attestations and what is missing for others over", async () => {
      const [arm, amd] = variants();
      const attestation = layout.addManifest({ config: layout.add("application/vnd.in-toto+json", {}), layers: [] });
      const index = layout.addIndex([
        arm,
        { ...attestation, platform: { os: "unknown", architecture: "unknown" }, annotations: REFERENCE },
        amd,
        { mediaType: amd.mediaType, digest: `sha256:${"1".repeat(64)}`, size: 7, platform: S390X },
      ]);
      for (const { digest } of [arm]) layout.blobs.delete(`blobs/sha256/${digest.slice(7)}`);
      expect(await loadMembers(layout.members([index]))).toEqual([{ id: image.id, references: [] }]);
    });

    test("says what is there when none fits", async () => {
      const index = layout.addIndex(variants());
      const named = { ...index, annotations: { "io.containerd.image.name": "docker.io/library/app:1" } };
      expect(await refused(layout.members([named]), S390X)).toBe(
        "no image for linux/s390x in app:1, which has linux/arm64/v8, linux/amd64",
      );
    });

    test("32-bit arm takes the best of the earlier variants", async () => {
      const old = makeImage([makeLayer("v6")], { architecture: "arm" });
      const older = makeImage([makeLayer("v5")], { architecture: "arm" });
      const index = layout.addIndex([
        { ...layout.addImage(older), platform: { ...ARMV6, variant: "v5" } },
        { ...layout.addImage(old), platform: ARMV6 },
        { ...layout.addImage(image), platform: AMD64 },
      ]);
      expect(await loadMembers(layout.members([index]), ARMV7)).toEqual([{ id: old.id, references: [] }]);
    });

    test("asks the configs where the index does not say", async () => {
      const index = layout.addIndex([layout.addImage(armImage), layout.addImage(image)]);
      expect(await loadMembers(layout.members([index]))).toEqual([{ id: image.id, references: [] }]);
    });

    test("takes a manifest that stands alone, whatever it is for", async () => {
      const manifest = { ...layout.addImage(armImage), platform: ARM64 };
      expect(await loadMembers(layout.members([manifest]))).toEqual([{ id: armImage.id, references: [] }]);
    });
  });

  test.each<[string, (layout: OciLayout) => TarEntry[], string]>([
    ["a missing manifest", (made) => without(made, made.addImage(image).digest), "is not in it"],
    ["a missing config", (made) => without(made, image.id), "is not in it"],
    ["a missing layer", (made) => without(made, image.diffIDs[1]!), "is neither in it nor in the store"],
    ["a config of the same length with other bytes", (made) => tampered(made, image.id), "has digest sha256:"],
    ["a manifest with other bytes", (made) => tampered(made, made.addImage(image).digest), "has digest sha256:"],
    ["a layer with other bytes", (made) => tampered(made, image.diffIDs[0]!), "archive/tar: invalid tar header"],
    ["a wrong size", (made) => made.members([{ ...made.addImage(image), size: 3 }]), "bytes, expected 3"],
    ["a digest that is none", (made) => made.members([{ ...made.addImage(image), digest: "x" }]), '"x" is no digest'],
    ["no image", (made) => made.members([]), "its index.json names no image"],
    ["something that is no image", (made) => made.members([artifact(made)]), "its index.json names no image"],
    ["an index without an end", endless, "its indexes lie too deep in one another"],
    [
      "another number of layers than the config has",
      (made) => {
        const config = made.add("application/vnd.oci.image.config.v1+json", image.raw);
        return made.members([made.addManifest({ config, layers: [] })]);
      },
      "layers length mismatch: expected 0, got 2",
    ],
    [
      "an encrypted layer",
      (made) => {
        const config = made.add("application/vnd.oci.image.config.v1+json", makeImage([layer]).raw);
        const encrypted = made.add("application/vnd.oci.image.layer.v1.tar+gzip+encrypted", layer);
        return made.members([made.addManifest({ config, layers: [encrypted] })]);
      },
      "is encrypted",
    ],
  ])("with %s is refused", async (_, members, message) => {
    expect(await refused(members(layout))).toContain(message);
  });

  test("a compressed layer must have the digest of its blob, not only that of its content", async () => {
    const one = makeImage([layer]);
    const manifest = layout.addImage(one, gzipSync);
    const [path] = [...layout.blobs].find(([, bytes]) => bytes[0] === 0x1f)!;
    const retimed = Buffer.from(layout.blobs.get(path)!);
    retimed[4]! ^= 1;
    layout.blobs.set(path, retimed);
    expect(await refused(layout.members([manifest]))).toContain(`"${path}" has digest sha256:`);
  });

  test("is taken by its manifest.json when it has one", async () => {
    const manifest = layout.addImage(image);
    const path = (digest: string): string => `blobs/sha256/${digest.slice(7)}`;
    const item = { Config: path(image.id), RepoTags: ["by/docker:1"], Layers: image.diffIDs.map(path) };
    const members = [...layout.members([manifest]), { name: "manifest.json", content: JSON.stringify([item]) }];
    expect(await loadMembers(members)).toEqual([{ id: image.id, references: ["by/docker:1"] }]);
  });
});

const REFERENCE = { "vnd.docker.reference.type": "attestation-manifest" };

function without(layout: OciLayout, digest: string): TarEntry[] {
  const manifest = layout.addImage(image);
  return layout.members([manifest]).filter(({ name }) => !name.endsWith(digest.slice(7)));
}

/** The layout with one byte of a blob changed. */
function tampered(layout: OciLayout, digest: string): TarEntry[] {
  const manifest = layout.addImage(image);
  return layout.members([manifest]).map((member) => {
    if (!member.name.endsWith(digest.slice(7))) return member;
    const bytes = Buffer.from(member.content as Uint8Array);
    bytes[20]! ^= 1;
    return { ...member, content: bytes };
  });
}

function artifact(layout: OciLayout): OciBlob {
  const config = layout.add("application/vnd.cncf.helm.config.v1+json", {});
  return layout.addManifest({ config, layers: [] });
}

function endless(layout: OciLayout): TarEntry[] {
  let index = layout.addIndex([]);
  for (let i = 0; i < 20; i++) index = layout.addIndex([index]);
  return layout.members([index]);
}
