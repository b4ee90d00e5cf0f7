// The real image: Debian packages, a large node_modules, and a layer of everything that is awkward.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tarOf } from "./archive.mjs";

const BASE = `base-files base-passwd bash bsdutils coreutils dash debconf debianutils diffutils dpkg e2fsprogs findutils
  grep gzip hostname libacl1 libapt-pkg6.0 libattr1 libc-bin libc6 libgcc-s1 libpam-modules libpam-runtime libssl3
  libstdc++6 libsystemd0 libtinfo6 login mount ncurses-base openssl passwd perl-base sed tar tzdata
  util-linux zlib1g apt`;
const LANGUAGES = `libperl5.36 libpython3.11-minimal libpython3.11-stdlib manpages manpages-dev
  perl-modules-5.36 python3.11 python3.11-minimal vim-runtime`;
const COMPILER = `binutils-common binutils-x86-64-linux-gnu cpp-12 gcc-12 libc6-dev
  libgcc-12-dev linux-libc-dev`;
const HEADERS = "libboost1.74-dev";
const BIG = "libllvm14 openjdk-17-jre-headless";
const NPM = {
  "@angular/compiler-cli": "16.2.12",
  "@babel/preset-env": "7.23.9",
  "@mui/material": "5.15.10",
  "date-fns": "3.3.1",
  eslint: "8.57.0",
  jest: "29.7.0",
  lodash: "4.17.21",
  rxjs: "7.8.1",
  three: "0.161.0",
  typescript: "5.3.3",
  webpack: "5.90.3",
};

/** The trees that other inputs are made of too, each a layer's tar; made when they are not there. @param {string} dir */
export function makeLayers(dir) {
  mkdirSync(dir, { recursive: true });
  return {
    base: debianLayer(dir, "base", BASE),
    languages: debianLayer(dir, "languages", LANGUAGES),
    compiler: debianLayer(dir, "compiler", COMPILER),
    headers: debianLayer(dir, "headers", HEADERS),
    modules: npmLayer(dir),
    changes: changesLayer(dir),
    big: debianLayer(dir, "big", BIG),
  };
}

/** @param {string} dir @param {string} name @param {string} packages */
function debianLayer(dir, name, packages) {
  return layer(dir, name, (tree) => {
    const debs = `${tree}.debs`;
    mkdirSync(debs);
    execFileSync("apt-get", ["-qq", "-o", "APT::Sandbox::User=root", "download", ...packages.trim().split(/\s+/)], {
      cwd: debs,
      stdio: ["ignore", "ignore", "inherit"],
    });
    for (const deb of readdirSync(debs).sort()) execFileSync("dpkg-deb", ["-x", join(debs, deb), tree]);
    rmSync(debs, { recursive: true });
  });
}

/** @param {string} dir */
function npmLayer(dir) {
  return layer(dir, "modules", (tree) => {
    const app = join(tree, "srv/app");
    mkdirSync(app, { recursive: true });
    writeFileSync(join(app, "package.json"), JSON.stringify({ name: "app", version: "1.0.0", dependencies: NPM }));
    const flags = ["--ignore-scripts", "--legacy-peer-deps", "--no-audit", "--no-fund", "--silent"];
    execFileSync("npm", ["install", ...flags], { cwd: app, stdio: ["ignore", "ignore", "inherit"] });
  });
}

/** A layer's tar out of a tree that `fill` makes; as reproducible as the mirrors are. */
function layer(/** @type {string} */ dir, /** @type {string} */ name, /** @type {(tree: string) => void} */ fill) {
  return once(join(dir, `${name}.tar`), (path) => {
    console.error(`making the layer ${name}`);
    const tree = join(dir, name);
    rmSync(tree, { recursive: true, force: true });
    mkdirSync(tree);
    fill(tree);
    execFileSync("tar", [
      ...["--sort=name", "--numeric-owner", "--owner=0", "--group=0", "--mtime=2024-01-01T00:00:00Z", "--clamp-mtime"],
      ...["--format=posix", "--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime"],
      ...["-C", tree, "-cf", path, ...readdirSync(tree).sort()],
    ]);
    rmSync(tree, { recursive: true });
  });
}

/** Whiteouts, an opaque directory, hard links, xattrs, devices and replaced files, over the layers below. @param {string} dir */
function changesLayer(dir) {
  return once(join(dir, "changes.tar"), (path) => {
    const folder = (/** @type {string} */ name) => ({ name, type: "5" });
    const capability = "\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0"; // cap_net_raw+ep
    const doc = ["bash", "coreutils", "libc6", "perl-base", "tzdata", "vim-runtime"];
    /** @type {import("./archive.mjs").Entry[]} */
    const entries = [
      ...["dev/", "etc/", "usr/", "usr/bin/", "usr/local/", "usr/local/share/"].map(folder),
      { name: "dev/null", type: "3", device: [1, 3], mode: 0o666 },
      { name: "dev/loop0", type: "4", device: [7, 0], mode: 0o660 },
      { name: "dev/initctl", type: "6", mode: 0o600 },
      { name: "etc/debian_version", content: "bench\n" },
      { name: "usr/bin/ping", content: "ping\n", mode: 0o755, xattrs: { "security.capability": capability } },
      ...["usr/share/", "usr/share/doc/"].map(folder),
      ...doc.map((name) => ({ name: `usr/share/doc/.wh.${name}` })),
      ...["usr/share/vim/", "usr/share/vim/vim90/"].map(folder),
      { name: "usr/share/vim/vim90/.wh..wh..opq" },
      { name: "usr/share/vim/vim90/defaults.vim", content: '" small\n' },
    ];
    for (let index = 0; index < 500; index++) {
      const name = `usr/local/share/file-${index}`;
      entries.push({ name, content: `${index}\n`.repeat(200), xattrs: { "user.number": String(index) } });
      entries.push({ name: `${name}-again`, type: "1", link: name });
      entries.push({ name: `${name}-link`, type: "2", link: `file-${index}` });
    }
    writeFileSync(path, tarOf(entries));
  });
}

/** A file made whole or not at all, and only when it is not there. */
function once(/** @type {string} */ path, /** @type {(draft: string) => void} */ make) {
  if (!existsSync(path)) {
    make(`${path}.draft`);
    renameSync(`${path}.draft`, path);
  }
  return path;
}
