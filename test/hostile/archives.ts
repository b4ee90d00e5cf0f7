/** Archives that are wrong around their layers, and the line with which each is refused. */
import { randomBytes } from "node:crypto";
import { gzipSync } from "node:zlib";
import { hexOf } from "../../src/digest/digest.ts";
import { dockerMembers, makeImage, makeLayer, OciLayout } from "../../src/testing/archive-bench.ts";
import { type TarEntry, tarOf } from "../../src/testing/tar-entries.ts";
import { KEPT_TAG, kept } from "./bench.ts";
import { END, paxHeader, rawEntry, rawHeader } from "./raw-tar.ts";

export interface ArchiveCase {
  readonly name: string;
  readonly archive: () => Buffer;
  readonly line: RegExp;
}

/** A good image on top of the one that is there, under the tag that is there, for a case to spoil. */
const layers = [kept.layers[0]!, makeLayer("middle", "m".repeat(5000)), makeLayer("top", "t".repeat(700))];
const image = makeImage(layers, { history: [{}, {}, {}] });
const members = dockerMembers([{ image, tags: [KEPT_TAG, "other:2"] }]);
const [LAYER, CONFIG, MANIFEST] = [`${hexOf(image.diffIDs[1]!)}/layer.tar`, `${hexOf(image.id)}.json`, "manifest.json"];

/** The good archive with other fields for one member; without the member for `undefined`. */
function spoiled(name: string, fields: Partial<TarEntry> | undefined): Buffer {
  return tarOf(
    members.flatMap((member) => {
      if (member.name !== name) return [member];
      return fields === undefined ? [] : [{ ...member, ...(fields.type !== undefined && { content: "" }), ...fields }];
    }),
  );
}

function withConfig(fields: object | string): Buffer {
  return spoiled(CONFIG, {
    content: typeof fields === "string" ? fields : JSON.stringify({ ...JSON.parse(image.raw.toString()), ...fields }),
  });
}

function withItem(fields: Readonly<Record<string, unknown>>): Buffer {
  return tarOf(dockerMembers([{ image, tags: [KEPT_TAG], item: fields }]));
}

function manifest(content: string | Buffer): Buffer {
  return spoiled(MANIFEST, { content });
}

const rootfs = (...diffIDs: unknown[]) => ({ rootfs: { type: "layers", diff_ids: diffIDs } });

/** An archive of Docker 1.9, its images' `json` given as text. */
function legacy(
  images: Readonly<Record<string, string>>,
  repositories: string | undefined,
  rest: TarEntry[] = [],
): Buffer {
  const entries = Object.entries(images).flatMap(([id, json]) => [
    { name: `${id}/`, type: "5" },
    { name: `${id}/VERSION`, content: "1.0" },
    { name: `${id}/json`, content: json },
    { name: `${id}/layer.tar`, content: makeLayer(id) },
  ]);
  const last = repositories === undefined ? [] : [{ name: "repositories", content: repositories }];
  return tarOf([...entries, ...rest, ...last]);
}

const v1 = (id: string, parent?: string): string =>
  JSON.stringify({ id, parent, os: "linux", created: "2020-09-13T12:26:40Z" });
const A = "a".repeat(64);
const B = "b".repeat(64);
const REPOSITORIES = JSON.stringify({ old: { 1: A } });

function oci(spoil: (layout: OciLayout, manifest: ReturnType<OciLayout["addImage"]>) => object[] | undefined): Buffer {
  const layout = new OciLayout();
  const descriptor = layout.addImage(image);
  const manifests = spoil(layout, descriptor) ?? [descriptor];
  return tarOf(layout.members(manifests));
}

const OCI_INDEX = "application/vnd.oci.image.index.v1+json";

export const ARCHIVES: readonly ArchiveCase[] = [
  // Layers that are not what they should be.
  {
    name: "a layer with one changed byte",
    archive: () => spoiled(LAYER, { content: flipped(layers[1]!) }),
    line: /invalid diffID for layer 1: expected "sha256:[0-9a-f]{64}", got "sha256:[0-9a-f]{64}"/,
  },
  {
    name: "two layers that changed places",
    archive: () => withItem({ Layers: [0, 2, 1].map((i) => `${hexOf(image.diffIDs[i]!)}/layer.tar`) }),
    line: /invalid diffID for layer 1/,
  },
  {
    name: "a layer that is not there",
    archive: () => spoiled(LAYER, undefined),
    line: /layer sha256:[0-9a-f]{64} of image .* is neither in it nor in the store/,
  },
  {
    name: "a layer that is cut in its gzip",
    archive: () => spoiled(LAYER, { content: gzipSync(layers[1]!).subarray(0, 80) }),
    line: /layer [0-9a-f]{12}: it is cut short \(unexpected EOF\)/,
  },
  {
    name: "a layer with a wrong sum in its gzip",
    archive: () => spoiled(LAYER, { content: flippedTail(gzipSync(layers[1]!)) }),
    line: /gzip: invalid checksum/,
  },
  {
    name: "a layer in two gzips",
    archive: () =>
      spoiled(LAYER, { content: gzipSync(gzipSync(makeLayer("noise", randomBytes(2000).toString("latin1")))) }),
    line: /layer [0-9a-f]{12}: it is not a tar \(archive\/tar: invalid tar header\)/,
  },
  {
    name: "a fifo for a layer",
    archive: () => spoiled(LAYER, { type: "6" }),
    line: /"[0-9a-f]{64}\/layer\.tar" is a fifo, not a file/,
  },
  {
    name: "a device for a layer",
    archive: () => spoiled(LAYER, { type: "3", deviceMajor: 1, deviceMinor: 5 }),
    line: /is a device, not a file/,
  },
  {
    name: "a disk for a layer",
    archive: () => spoiled(LAYER, { type: "4", deviceMajor: 8 }),
    line: /is a device, not a file/,
  },
  { name: "a directory for a layer", archive: () => spoiled(LAYER, { type: "5" }), line: /is a directory, not a file/ },
  {
    name: "a sparse file for a layer",
    archive: () =>
      withRaw(
        LAYER,
        Buffer.concat([
          paxHeader({
            "GNU.sparse.major": "0",
            "GNU.sparse.minor": "1",
            "GNU.sparse.size": "8796093022208",
            "GNU.sparse.numblocks": "0",
            "GNU.sparse.map": "",
            path: LAYER,
          }),
          rawEntry({ name: "x" }),
        ]),
      ),
    line: /is a sparse file, not a file/,
  },
  {
    name: "a link out of the archive for a layer",
    archive: () => spoiled(LAYER, { type: "2", linkname: "/etc/passwd" }),
    line: /is neither in it nor in the store/,
  },
  {
    name: "a link that climbs out for a layer",
    archive: () => spoiled(LAYER, { type: "2", linkname: "../../../../../../etc/passwd" }),
    line: /is neither in it nor in the store/,
  },
  {
    name: "a link to itself for a layer",
    archive: () => spoiled(LAYER, { type: "2", linkname: "layer.tar" }),
    line: /leads through too many links/,
  },
  {
    name: "a hard link out of the archive for a layer",
    archive: () => spoiled(LAYER, { type: "1", linkname: "../../etc/passwd" }),
    line: /is a link to "\.\.\/\.\.\/etc\/passwd", which is not in the archive before it/,
  },
  {
    name: "a path of a layer that climbs out",
    archive: () => withItem({ Layers: [0, 1, 2].map(() => "../../../../etc/passwd") }),
    line: /is neither in it nor in the store/,
  },
  {
    name: "126 layers",
    archive: () =>
      tarOf(dockerMembers([{ image: makeImage(Array.from({ length: 126 }, (_, i) => makeLayer(`${i}`))) }])),
    line: /max depth exceeded/,
  },

  // Configs.
  {
    name: "a config that is not there",
    archive: () => spoiled(CONFIG, undefined),
    line: /open [0-9a-f]{64}\.json: no such file or directory/,
  },
  { name: "a fifo for a config", archive: () => spoiled(CONFIG, { type: "6" }), line: /is a fifo, not a file/ },
  {
    name: "a device for a config",
    archive: () => spoiled(CONFIG, { type: "3", deviceMajor: 1, deviceMinor: 5 }),
    line: /is a device, not a file/,
  },
  {
    name: "a link out of the archive for a config",
    archive: () => spoiled(CONFIG, { type: "2", linkname: "/etc/passwd" }),
    line: /no such file or directory/,
  },
  {
    name: "a path of a config that climbs out",
    archive: () => withItem({ Config: "../../../../etc/passwd" }),
    line: /no such file or directory/,
  },
  {
    name: "a config that is no JSON",
    archive: () => withConfig("}"),
    line: /[0-9a-f]{64}\.json.*invalid character '}' looking for beginning of value/,
  },
  {
    name: "a config that is cut",
    archive: () => withConfig(image.raw.toString().slice(0, 100)),
    line: /unexpected end of JSON input/,
  },
  {
    name: "a config with something behind it",
    archive: () => withConfig(`${image.raw} x`),
    line: /invalid character 'x' after top-level value/,
  },
  { name: "an empty config", archive: () => withConfig(""), line: /unexpected end of JSON input/ },
  { name: "a config that is a list", archive: () => withConfig("[]"), line: /cannot unmarshal array/ },
  { name: "null for a config", archive: () => withConfig("null"), line: /no RootFS key/ },
  { name: "a config without layers", archive: () => withConfig("{}"), line: /no RootFS key/ },
  { name: "null for the layers of a config", archive: () => withConfig({ rootfs: null }), line: /no RootFS key/ },
  {
    name: "fewer layers in the config",
    archive: () => withConfig({ ...rootfs(...image.diffIDs.slice(1)), history: [] }),
    line: /layers length mismatch: expected 3, got 2/,
  },
  {
    name: "more layers in the config",
    archive: () => withConfig(rootfs(...image.diffIDs, image.diffIDs[0])),
    line: /layers length mismatch: expected 3, got 4/,
  },
  {
    name: "other digests in the config",
    archive: () => withConfig(rootfs(...[1, 2, 3].map((i) => `sha256:${`${i}`.repeat(64)}`))),
    line: /invalid diffID for layer 0: expected "sha256:1{64}", got/,
  },
  { name: "digests that are numbers", archive: () => withConfig(rootfs(1, 2, 3)), line: /cannot unmarshal number/ },
  {
    name: "digests that are none",
    archive: () => withConfig(rootfs("", "x", "../../etc")),
    line: /invalid diffID for layer 0: "" is no digest/,
  },
  {
    name: "digests in capitals",
    archive: () => withConfig(rootfs(...image.diffIDs.map((id) => id.toUpperCase()))),
    line: /is no digest/,
  },
  {
    name: "digests of another kind",
    archive: () => withConfig(rootfs(...image.diffIDs.map(() => `sha512:${"0".repeat(128)}`))),
    line: /is no digest/,
  },
  {
    name: "more history than layers",
    archive: () => withConfig({ history: [{}, {}, {}, {}] }),
    line: /too many non-empty layers in History section/,
  },
  {
    name: "another operating system",
    archive: () => withConfig({ os: "windows" }),
    line: /cannot load windows image on linux/,
  },
  { name: "a created that is no time", archive: () => withConfig({ created: "yesterday" }), line: /parsing time/ },
  {
    name: "JSON of great depth in a config",
    archive: () => withConfig(`{"x":${"[".repeat(100_000)}${"]".repeat(100_000)}}`),
    line: /exceeded max depth/,
  },

  // manifest.json.
  {
    name: "a directory for a manifest",
    archive: () => spoiled(MANIFEST, { type: "5" }),
    line: /"manifest\.json" is a directory, not a file/,
  },
  {
    name: "a fifo for a manifest",
    archive: () => spoiled(MANIFEST, { type: "6" }),
    line: /"manifest\.json" is a fifo, not a file/,
  },
  {
    name: "a link out of the archive for a manifest",
    archive: () => spoiled(MANIFEST, { type: "2", linkname: "/etc/passwd" }),
    line: /does not contain a manifest\.json/,
  },
  { name: "an empty manifest", archive: () => manifest(""), line: /"manifest\.json": unexpected end of JSON input/ },
  { name: "null for a manifest", archive: () => manifest("null"), line: /manifest cannot be null/ },
  { name: "an object for a manifest", archive: () => manifest("{}"), line: /manifest\.json.*cannot unmarshal object/ },
  { name: "text for a manifest", archive: () => manifest("hello"), line: /manifest\.json.*invalid character 'h'/ },
  {
    name: "bytes for a manifest",
    archive: () => manifest(Buffer.from([0xff, 0xfe, 0, 0])),
    line: /manifest\.json.*invalid character/,
  },
  {
    name: "a manifest of 9 MiB",
    archive: () => manifest(`[${" ".repeat(9 << 20)}]`),
    line: /"manifest\.json" has 9437186 bytes, more than the 8388608/,
  },
  {
    name: "a manifest of great depth",
    archive: () => manifest("[".repeat(1_000_000)),
    line: /manifest\.json.*exceeded max depth/,
  },
  {
    name: "a million images in a manifest",
    archive: () => manifest(`[${"{},".repeat(2_000_000)}{}]`),
    line: /its manifests and configs are too large together/,
  },
  {
    name: "the same image 10,001 times",
    archive: () => manifest(JSON.stringify(Array(10_001).fill({ Config: CONFIG, Layers: [] }))),
    line: /"manifest\.json": more than 10000 images/,
  },
  {
    name: "an image without a name for its config",
    archive: () => withItem({ Config: "" }),
    line: /"" is a directory, not a file/,
  },
  {
    name: "null for layers",
    archive: () => withItem({ Layers: null }),
    line: /layers length mismatch: expected 0, got 3/,
  },
  { name: "numbers for layers", archive: () => withItem({ Layers: [1, 2, 3] }), line: /cannot unmarshal number/ },
  { name: "a tag without a tag", archive: () => withItem({ RepoTags: ["other"] }), line: /invalid tag "other"/ },
  {
    name: "a tag that cannot be",
    archive: () => withItem({ RepoTags: ["other:1", "UPPER:1"] }),
    line: /UPPER:1.*must be lowercase/,
  },
  {
    name: "a tag with a path in it",
    archive: () => withItem({ RepoTags: ["../../etc/passwd:1"] }),
    line: /invalid reference format/,
  },
  { name: "an empty tag", archive: () => withItem({ RepoTags: [""] }), line: /invalid reference format/ },
  {
    name: "a tag with control characters",
    archive: () => withItem({ RepoTags: ["a\x1b[31m:1"] }),
    line: /invalid reference format/,
  },
  {
    name: "a digest for a tag",
    archive: () => withItem({ RepoTags: [`kept@sha256:${"0".repeat(64)}`] }),
    line: /invalid tag/,
  },
  { name: "parents in a circle", archive: parentsInACircle, line: /is its own ancestor/ },
  {
    name: "a parent that cannot be",
    archive: () => tarOf(dockerMembers([{ image }, { image: makeImage([layers[2]!]), parent: image.id }])),
    line: /is not a valid parent for/,
  },
  {
    name: "no manifest and nothing else",
    archive: () => spoiled(MANIFEST, undefined),
    line: /does not contain a manifest\.json, nor an index\.json or repositories/,
  },
  {
    name: "a manifest in a directory",
    archive: () => tarOf(members.map((member) => ({ ...member, name: `image/${member.name}` }))),
    line: /does not contain a manifest\.json/,
  },

  // The archive itself.
  {
    name: "a member below a file",
    archive: () => tarOf([{ name: "a", content: "" }, { name: "a/b", content: "" }, ...members]),
    line: /"a\/b" lies below something that is not a directory/,
  },
  {
    name: "one zero block between members",
    archive: () => Buffer.concat([tarOf(members.slice(0, 1)).subarray(0, -512), tarOf(members.slice(1))]),
    line: /archive\/tar: invalid tar header/,
  },
  {
    name: "a member with a wrong checksum",
    archive: () => Buffer.concat([rawHeader({ name: "a", checksumOff: 1 }), tarOf(members)]),
    line: /it is not a tar \(archive\/tar: invalid tar header\)/,
  },
  {
    name: "a member that declares 8 EiB",
    archive: () =>
      Buffer.concat([
        rawHeader({ name: "a", size: Buffer.from("\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", "latin1") }),
        tarOf(members),
      ]),
    line: /it is not a tar \(archive\/tar: invalid tar header\)/,
  },
  {
    name: "a member that declares 8 GiB",
    archive: () => Buffer.concat([rawHeader({ name: "a", size: 2 ** 33 - 1 }), tarOf(members)]),
    line: /invalid archive: it is cut short \(unexpected EOF\)/,
  },
  {
    name: "a PAX header of 2 MiB",
    archive: () => Buffer.concat([paxHeader({ comment: "x".repeat(2 << 20) }), tarOf(members)]),
    line: /header field too long/,
  },
  {
    name: "half a million directories in one name",
    archive: () =>
      Buffer.concat([paxHeader({ path: "a/".repeat(520_000) }), rawEntry({ name: "x", type: "5" }), tarOf(members)]),
    line: /"a\/a\/.*….*\/" is not possible: file name too long/,
  },
  {
    name: "a link to a name of a megabyte",
    archive: () =>
      Buffer.concat([
        paxHeader({ linkpath: "a".repeat(1_000_000) }),
        rawEntry({ name: "x", type: "2" }),
        tarOf(members),
      ]),
    line: /"x" is not possible: file name too long/,
  },
  { name: "nothing but end blocks", archive: () => END, line: /does not contain a manifest\.json/ },
  { name: "nothing but zeros", archive: () => Buffer.alloc(1 << 20), line: /does not contain a manifest\.json/ },

  // Docker 1.9 and before.
  {
    name: "v1 parents in a circle",
    archive: () => legacy({ [A]: v1(A, B), [B]: v1(B, A) }, REPOSITORIES),
    line: /image a{64} is its own ancestor/,
  },
  {
    name: "a v1 image that is its own parent",
    archive: () => legacy({ [A]: v1(A, A) }, REPOSITORIES),
    line: /image a{64} is its own ancestor/,
  },
  {
    name: "a v1 parent that is not there",
    archive: () => legacy({ [A]: v1(A, B) }, REPOSITORIES),
    line: /b{64}\/json: no such file or directory/,
  },
  {
    name: "a v1 parent out of the archive",
    archive: () => legacy({ [A]: v1(A, "../../etc") }, REPOSITORIES),
    line: /no such file or directory/,
  },
  {
    name: "a v1 parent that is the archive",
    archive: () => legacy({ [A]: v1(A, "..") }, REPOSITORIES),
    line: /no such file or directory/,
  },
  {
    name: "a v1 chain of 200",
    archive: () =>
      legacy(
        Object.fromEntries(
          Array.from({ length: 200 }, (_, i) => [`${i}`, v1(`${i}`, i === 199 ? undefined : `${i + 1}`)]),
        ),
        REPOSITORIES,
      ),
    line: /max depth exceeded/,
  },
  {
    name: "a v1 target that is not there",
    archive: () => legacy({ [A]: v1(A) }, JSON.stringify({ old: { 1: B } })),
    line: /invalid target ID: b{64}/,
  },
  {
    name: "a v1 tag that cannot be",
    archive: () => legacy({ [A]: v1(A) }, JSON.stringify({ OLD: { 1: A } })),
    line: /must be lowercase/,
  },
  {
    name: "v1 repositories that are none",
    archive: () => legacy({ [A]: v1(A) }, "[]"),
    line: /repositories.*cannot unmarshal array/,
  },
  {
    name: "no v1 repositories",
    archive: () => legacy({ [A]: v1(A) }, undefined),
    line: /does not contain a manifest\.json/,
  },
  {
    name: "a v1 image without a layer",
    archive: () =>
      tarOf([
        { name: `${A}/json`, content: v1(A) },
        { name: "repositories", content: REPOSITORIES },
      ]),
    line: /layer\.tar" is not in it/,
  },
  {
    name: "a directory that is no v1 image",
    archive: () => legacy({ [A]: v1(A) }, REPOSITORIES, [{ name: "docs/", type: "5" }]),
    line: /docs\/json: no such file or directory/,
  },
  {
    name: "a v1 config that is none",
    archive: () => legacy({ [A]: "[" }, REPOSITORIES),
    line: /a{64}\/json.*unexpected end of JSON input/,
  },
  {
    name: "a fifo for a v1 layer",
    archive: () =>
      legacy({}, REPOSITORIES, [
        { name: `${A}/json`, content: v1(A) },
        { name: `${A}/layer.tar`, type: "6" },
      ]),
    line: /is a fifo, not a file/,
  },
  {
    name: "a v1 layer that is cut",
    archive: () =>
      legacy({}, REPOSITORIES, [
        { name: `${A}/json`, content: v1(A) },
        { name: `${A}/layer.tar`, content: makeLayer("a", "x".repeat(600)).subarray(0, 700) },
      ]),
    line: /layer a{12}: it is cut short \(unexpected EOF\)/,
  },

  // OCI layouts.
  { name: "an index without images", archive: () => oci(() => []), line: /its index\.json names no image/ },
  {
    name: "an index that is none",
    archive: () => tarOf([{ name: "index.json", content: "[]" }]),
    line: /index\.json.*cannot unmarshal array/,
  },
  {
    name: "a manifest with another digest",
    archive: () =>
      oci((layout, { digest }) => void layout.blobs.set(`blobs/sha256/${hexOf(digest)}`, Buffer.from("{}"))),
    line: /"blobs\/sha256\/[0-9a-f]{64}" has digest sha256:[0-9a-f]{64}, expected sha256:/,
  },
  {
    name: "a manifest that is not there",
    archive: () => oci((layout, { digest }) => void layout.blobs.delete(`blobs/sha256/${hexOf(digest)}`)),
    line: /the blob "blobs\/sha256\/[0-9a-f]{64}" is not in it/,
  },
  {
    name: "a layer with another digest",
    archive: () =>
      oci((layout) => void layout.blobs.set(`blobs/sha256/${hexOf(image.diffIDs[1]!)}`, flipped(layers[1]!))),
    line: /invalid diffID for layer 1/,
  },
  {
    name: "a layer of another size",
    archive: () =>
      oci((layout) => void layout.blobs.set(`blobs/sha256/${hexOf(image.diffIDs[1]!)}`, layers[1]!.subarray(0, 512))),
    line: /has 512 bytes/,
  },
  {
    name: "a digest with a path in it",
    archive: () => oci((_, descriptor) => [{ ...descriptor, digest: "sha256:../../../etc/passwd" }]),
    line: /sha256:\.\.\/\.\.\/\.\.\/etc\/passwd/,
  },
  {
    name: "a digest of another kind",
    archive: () => oci((_, descriptor) => [{ ...descriptor, digest: "md5:d41d8cd98f00b204e9800998ecf8427e" }]),
    line: /md5/,
  },
  {
    name: "twenty indexes in one another",
    archive: () =>
      oci((layout, descriptor) => [
        Array.from({ length: 20 }).reduce<object>(
          (inner) => ({ ...layout.addIndex([inner]), mediaType: OCI_INDEX }),
          descriptor,
        ),
      ]),
    line: /its indexes lie too deep in one another/,
  },
  {
    name: "an encrypted layer",
    archive: () =>
      oci((layout) => {
        const config = layout.add("application/vnd.oci.image.config.v1+json", image.raw);
        const encrypted = image.layers.map((layer) =>
          layout.add("application/vnd.oci.image.layer.v1.tar+encrypted", layer),
        );
        return [layout.addManifest({ config, layers: encrypted })];
      }),
    line: /is encrypted/,
  },
];

function parentsInACircle(): Buffer {
  const one = makeImage([layers[1]!], { author: "1" });
  const two = makeImage([layers[1]!], { author: "2" });
  return tarOf(
    dockerMembers([
      { image: one, parent: two.id },
      { image: two, parent: one.id },
    ]),
  );
}

function withRaw(name: string, entry: Buffer): Buffer {
  const rest = members.filter((member) => member.name !== name);
  return Buffer.concat([entry, tarOf(rest)]);
}

/** One byte of a file's content, another one of a member's content, is not what it was. */
function flipped(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  copy[600]! ^= 1;
  return copy;
}

function flippedTail(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  copy[copy.length - 6]! ^= 1;
  return copy;
}
