/**
 * What others say of the corpora, found with Go 1.19.8's archive/tar and with tar-split 0.11.2, the version in dockerd
 * 20.10.24: their refusal, or a digest of all that they read, as `corpus.test.ts` takes it.
 */
export interface Answer {
  readonly file: string;
  /** Go's refusal while it reads all headers and contents. */
  readonly refusal?: string;
  readonly entries: number;
  readonly headers?: string;
  /** tar-split's refusal where Go has none; it takes no duplicate names. */
  readonly splitRefusal?: string;
  /** Absent where there are sparse files, which tar-split keeps in a way in which they cannot be joined again. */
  readonly lines?: string;
}

export const GO_ANSWERS: readonly Answer[] = [
  { file: "file-and-dir.tar", entries: 2, headers: "4905473f215f9699", lines: "d50071bb17f755f0" },
  { file: "gnu-incremental.tar", entries: 3, headers: "940a8ab4f90c3b9f" },
  { file: "gnu-long-nul.tar", entries: 1, headers: "f845170894bfef70", lines: "97f3f358305308a0" },
  { file: "gnu-multi-hdrs.tar", entries: 1, headers: "88bb94ed773b1622", lines: "434c45b2482b5898" },
  { file: "gnu-nil-sparse-data.tar", entries: 1, headers: "2b1afc32a2f6405b" },
  { file: "gnu-nil-sparse-hole.tar", entries: 1, headers: "a1c344b6b8afc0cc" },
  { file: "gnu-not-utf8.tar", entries: 1, headers: "26f61fa26b2622b5", lines: "c595cc2a7c5fadef" },
  { file: "gnu-sparse-big.tar", entries: 1, headers: "e46d062a297b2a78" },
  { file: "gnu-utf8.tar", entries: 1, headers: "9c52b20bf8001a88", lines: "f50907d9063a4654" },
  { file: "gnu.tar", entries: 2, headers: "60858cca4a2923f8", lines: "e22ee2e23fbb8d8a" },
  { file: "hardlink.tar", entries: 2, headers: "59f0888e1dcacbd1", lines: "72e99768b3d715b6" },
  {
    file: "hdr-only.tar",
    entries: 16,
    headers: "73e04c988f49b9e0",
    splitRefusal: "duplicates of file paths not supported",
  },
  { file: "invalid-go17.tar", entries: 1, headers: "d872971bed9b9acd", lines: "8a503bb690d4881e" },
  { file: "issue10968.tar", entries: 0, refusal: "archive/tar: invalid tar header" },
  { file: "issue11169.tar", entries: 0, refusal: "archive/tar: invalid tar header" },
  { file: "issue12435.tar", entries: 0, refusal: "archive/tar: invalid tar header" },
  { file: "neg-size.tar", entries: 0, refusal: "archive/tar: invalid tar header" },
  { file: "nil-uid.tar", entries: 1, headers: "9c6cbe6de6701279", lines: "80df68bba6645c99" },
  { file: "pax-bad-hdr-file.tar", entries: 0, refusal: "archive/tar: invalid tar header" },
  { file: "pax-bad-hdr-large.tar.bz2", entries: 0, refusal: "archive/tar: header field too long" },
  { file: "pax-bad-mtime-file.tar", entries: 0, refusal: "archive/tar: invalid tar header" },
  { file: "pax-global-records.tar", entries: 6, headers: "74ab096ba42a5925", lines: "58d077aceabb46cd" },
  { file: "pax-multi-hdrs.tar", entries: 1, headers: "05472a063b6d8404", lines: "71172878ffe3fd4d" },
  { file: "pax-nil-sparse-data.tar", entries: 1, headers: "a316faf3d0ccc30a" },
  { file: "pax-nil-sparse-hole.tar", entries: 1, headers: "9dfb397c4ea65196" },
  { file: "pax-nul-path.tar", entries: 0, refusal: "archive/tar: invalid tar header" },
  { file: "pax-nul-xattrs.tar", entries: 0, refusal: "archive/tar: invalid tar header" },
  { file: "pax-path-hdr.tar", entries: 0, headers: "e3b0c44298fc1c14", lines: "3a133f83b6182925" },
  { file: "pax-pos-size-file.tar", entries: 1, headers: "e017ae03fe4cce0a", lines: "6daff3d32a1c1e59" },
  { file: "pax-records.tar", entries: 1, headers: "6262bcccaed1c926", lines: "ce1c2af42db45e92" },
  { file: "pax-sparse-big.tar", entries: 1, headers: "0b78ba9ff308be25" },
  { file: "pax.tar", entries: 2, headers: "98915f532b5d1372", lines: "c117f1dff4787ece" },
  { file: "sparse-formats.tar", entries: 5, headers: "611f3585390e1503" },
  { file: "star.tar", entries: 2, headers: "04cfcde6c784751f", lines: "0921700728e208e3" },
  { file: "trailing-slash.tar", entries: 1, headers: "0e007177446dffc3", lines: "9fe80f462b3158ce" },
  { file: "ustar-file-devs.tar", entries: 1, headers: "593d4fd7c947421c", lines: "6062baaafb1fa5d2" },
  { file: "ustar-file-reg.tar", entries: 1, headers: "4e2452330261ab74", lines: "55978f9ea3440403" },
  { file: "ustar.tar", entries: 1, headers: "d96ff828d67ac938", lines: "9fd69316893cc660" },
  { file: "v7.tar", entries: 2, headers: "3941f7706a4e2b97", lines: "4caea16eefacb934" },
  { file: "writer-big-long.tar", entries: 1, refusal: "unexpected EOF" },
  { file: "writer-big.tar", entries: 1, refusal: "unexpected EOF" },
  { file: "writer.tar", entries: 3, headers: "35681a1d53f6d6ce", lines: "491f7418006b8b96" },
  { file: "xattrs.tar", entries: 2, headers: "3a9eccabccf06f00", lines: "3b5edc6d8fc67eed" },
  {
    file: "testtar.tar",
    entries: 43,
    headers: "a537c78bf02e9230",
    splitRefusal: "duplicates of file paths not supported",
  },
];
