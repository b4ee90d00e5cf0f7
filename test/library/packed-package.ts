import { execFileSync, spawnSync } from "node:child_process";
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";

const PROJECT = join(import.meta.dirname, "../..");
/** What of the project the package is made from. */
const SOURCES = [
  ...["package.json", "tsconfig.json", "tsconfig.build.json", "src", "docs", "contrib"],
  ...["LICENSE", "README.md", "CHANGELOG.md"],
];

/** One file of a tarball. */
export interface PackedFile {
  readonly path: string;
  readonly mode: number;
}

/**
 * The package as npm packs it, installed beside an application of a stranger's: an ES module in `directory`, with the
 * package and its dependencies in `node_modules`, and nothing of this project.
 */
export class PackedPackage implements Disposable {
  readonly directory: string;
  readonly files: readonly PackedFile[];
  readonly #scratch: string = mkdtempSync(join(tmpdir(), "varve-packed-"));

  constructor() {
    this.directory = join(this.#scratch, "app");
    try {
      this.files = this.#unpack(join(this.#scratch, pack(this.#scratch)));
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** Where the package is. */
  get path(): string {
    return join(this.directory, "node_modules/varve");
  }

  get manifest(): Manifest {
    return JSON.parse(readFileSync(join(this.path, "package.json"), "utf8")) as Manifest;
  }

  /** Adds a package that this project has, too. */
  install(name: string): void {
    const place = join(this.directory, "node_modules", name);
    if (existsSync(place)) return;
    mkdirSync(dirname(place), { recursive: true });
    symlinkSync(join(PROJECT, "node_modules", name), place);
  }

  /** Writes a file of the application. */
  write(name: string, text: string): void {
    writeFileSync(join(this.directory, name), text);
  }

  /**
   * Compiles a program of the stranger's under strict rules; what comes of it lies in the application.
   *
   * @param program a path; it is copied into the application, where the package is found
   * @returns what the compiler says against it
   */
  compile(program: string, options: Readonly<Record<string, unknown>> = {}): string {
    const name = basename(program);
    if (name !== program) copyFileSync(program, join(this.directory, name));
    const compilerOptions = {
      ...{ strict: true, skipLibCheck: false, target: "es2022", lib: ["es2022"], types: ["node"], module: "nodenext" },
      ...options,
    };
    this.write("tsconfig.json", JSON.stringify({ compilerOptions, files: [name] }));
    const tsc = [join(PROJECT, "node_modules/typescript/bin/tsc"), "-p", this.directory, "--pretty", "false"];
    const { status, stdout, stderr } = spawnSync(process.execPath, tsc, { encoding: "utf8", cwd: this.directory });
    return status === 0 ? "" : stdout + stderr;
  }

  [Symbol.dispose](): void {
    rmSync(this.#scratch, { recursive: true, force: true });
  }

  #unpack(tarball: string): PackedFile[] {
    mkdirSync(join(this.path, ".."), { recursive: true });
    writeFileSync(join(this.directory, "package.json"), '{ "type": "module" }');
    execFileSync("tar", ["-xzf", tarball, "-C", dirname(this.path), "--transform", "s/^package/varve/"]);
    const { dependencies, optionalDependencies } = this.manifest;
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) this.install(name);
    execFileSync("chmod", ["-R", "a+rX", this.#scratch]);
    return listFiles(tarball);
  }
}

export interface Manifest {
  readonly bin: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, { readonly types: string; readonly default: string }>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly optionalDependencies: Readonly<Record<string, string>>;
}

/** Builds and packs a copy of the project, as a release would. @returns the tarball's name */
function pack(scratch: string): string {
  const copy = join(scratch, "project");
  for (const source of SOURCES) cpSync(join(PROJECT, source), join(copy, source), { recursive: true });
  symlinkSync(join(PROJECT, "node_modules"), join(copy, "node_modules"));
  const output = execFileSync("npm", ["pack", "--silent", "--pack-destination", scratch], {
    cwd: copy,
    encoding: "utf8",
    env: { ...process.env, npm_config_cache: join(scratch, "npm-cache") },
  });
  return output.trim().split("\n").at(-1)!;
}

function listFiles(tarball: string): PackedFile[] {
  const listing = execFileSync("tar", ["-tvzf", tarball], { encoding: "utf8", maxBuffer: 1 << 24 });
  return listing
    .trim()
    .split("\n")
    .map((line) => {
      const [permissions] = line.split(/\s+/);
      const mode = [...permissions!.slice(1)].reduce((bits, letter) => bits * 2 + (letter === "-" ? 0 : 1), 0);
      return { path: line.slice(line.indexOf("package/") + "package/".length), mode };
    });
}
