import { endianness } from "node:os";
import type { OciPlatform } from "./oci.ts";

/** What an image is built for, in Go's words: `linux`, `arm64`, `v8`. */
export type Platform = OciPlatform;

/** The platform of this process. */
export function hostPlatform(): Platform {
  const architecture = ARCHITECTURES[process.arch] ?? process.arch;
  return { os: "linux", architecture, variant: architecture === "arm" ? "v7" : "" };
}

const ARCHITECTURES: Readonly<Record<string, string>> = {
  x64: "amd64",
  ia32: "386",
  ppc64: endianness() === "LE" ? "ppc64le" : "ppc64",
  mips: "mips",
  mipsel: "mipsle",
};

/** `linux/arm/v7`. */
export function formatPlatform({ os, architecture, variant }: Platform): string {
  return [os || "unknown", architecture || "unknown", ...(variant === "" ? [] : [variant])].join("/");
}

/**
 * How well an image for `offered` runs on `wanted`: 0 not at all, more is better. Of the variants of 32-bit arm each runs
 * what was built for an earlier one; of other architectures only the same variant fits.
 */
export function platformScore(offered: Platform, wanted: Platform): number {
  if (offered.os !== wanted.os || offered.architecture !== wanted.architecture) return 0;
  const [has, needs] = [variantOf(offered), variantOf(wanted)];
  if (has === needs) return 100;
  if (wanted.architecture !== "arm") return 0;
  const [old, current] = [Number(has.slice(1)), Number(needs.slice(1))];
  return old >= 5 && old < current ? old : 0;
}

/** The variant that leaving it out means. */
function variantOf({ architecture, variant }: Platform): string {
  if (variant !== "") return variant;
  return { arm: "v7", arm64: "v8", amd64: "v1" }[architecture] ?? "";
}
