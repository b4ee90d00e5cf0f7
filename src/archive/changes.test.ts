// biome-ignore-all lint/suspicious/noTemplateCurlyInString: substitutions of a shell, not of templates
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isVarveError } from "../errors.ts";
import { type ContainerConfig, EMPTY_CONTAINER_CONFIG } from "../image/container-config.ts";
import { applyChanges } from "./changes.ts";

// What dockerd 20.10.24 made of them; test/archive asks one again.
const MADE: readonly (readonly [string[], Partial<ContainerConfig>])[] = [
  [[], {}],
  [["CMD echo  hi"], { cmd: ["/bin/sh", "-c", "echo  hi"] }],
  [["CMD"], { cmd: ["/bin/sh", "-c"] }],
  [["CMD []"], { cmd: [] }],
  [['cmd [ "a" , "b" ] c'], { cmd: ["a", "b"] }],
  [["CMD ['a']"], { cmd: ["/bin/sh", "-c", "['a']"] }],
  [["ENTRYPOINT a b"], { entrypoint: ["/bin/sh", "-c", "a b"] }],
  [["ENTRYPOINT []"], { entrypoint: null }],
  [["CMD x", 'ENTRYPOINT ["y"]'], { cmd: ["/bin/sh", "-c", "x"], entrypoint: ["y"] }],
  [["CMD", 'ENTRYPOINT ["y"]'], { cmd: null, entrypoint: ["y"] }],
  [["ENV A=1", "ENV A=2 B=$A", "ENV C=$B$A"], { env: ["A=2", "B=1", "C=12"] }],
  [['ENV A a\\ b "c"'], { env: ["A=a b c"] }],
  [['ENV A=\\$x B=\\\\ C="\\a\\"\\$" D=\'$A\''], { env: ["A=$x", "B=\\", 'C=\\a"$', "D=$A"] }],
  [["ENV A=${x:-y$B} B=${x:+z} C=$1$@$*x"], { env: ["A=y", "B=", "C=x"] }],
  [["# escape=`", "ENV A=`$x B=\\ "], { env: ["A=$x", "B=\\"] }],
  [
    ["EXPOSE 80 90/UDP 1-3 127.0.0.1:8080:81"],
    { exposedPorts: set("80/tcp", "90/udp", "1/tcp", "2/tcp", "3/tcp", "81/tcp") },
  ],
  [['ENV P="80 443"', "EXPOSE $P 9"], { env: ["P=80 443"], exposedPorts: set("80/tcp", "443/tcp", "9/tcp") }],
  [
    ['LABEL "a b"="c d" e=f\\ g __proto__=x', "LABEL e=h"],
    {
      labels: new Map([
        ["a b", "c d"],
        ["e", "h"],
        ["__proto__", "x"],
      ]),
    },
  ],
  [["ONBUILD RUN x  y", "onbuild copy a b"], { onBuild: ["RUN x  y", "copy a b"] }],
  [['USER "a b"'], { user: "a b" }],
  [["VOLUME /a /b", 'VOLUME ["/a b"]'], { volumes: set("/a", "/b", "/a b") }],
  [["WORKDIR /a", "WORKDIR b/../c"], { workingDir: "/a/c" }],
  [["WORKDIR /a/../b/"], { workingDir: "/a/../b/" }],
  [["USER a\\\n  b\\\n# c\n\n d"], { user: "a  b d" }],
  [["HEALTHCHECK NONE"], { healthcheck: { test: ["NONE"], interval: 0, timeout: 0, startPeriod: 0, retries: 0 } }],
  [
    ["HEALTHCHECK --interval=1.5h --timeout=1m30s --start-period=5ms --retries=3 CMD a b"],
    { healthcheck: { test: ["CMD-SHELL", "a b"], interval: 5_400e9, timeout: 90e9, startPeriod: 5e6, retries: 3 } },
  ],
];

const REFUSED: readonly (readonly [string[], string])[] = [
  [["RUN x"], "run is not a valid change command"],
  [["USER a", "COPY a b"], "copy is not a valid change command"],
  [[""], "file with no instructions"],
  [["# only this"], "file with no instructions"],
  [['CMD ["a",1]'], "when using JSON array syntax, arrays must be comprised of strings only"],
  [["CMD --x y"], "Unknown flag: x"],
  [["ENV"], "ENV requires at least one argument"],
  [["ENV A"], "ENV must have two arguments"],
  [["ENV =b"], "ENV names can not be blank"],
  [["LABEL A=b c"], `Syntax error - can't find = in "c". Must be of the form: name=value`],
  [['ENV A="b'], 'failed to process "\\"b": unexpected end of statement while looking for matching double-quote'],
  [["ENV A=${x"], `failed to process "\${x": missing ':' in substitution`],
  [["ENV A=${x:?none}"], 'failed to process "${x:?none}": x: none'],
  [["EXPOSE x"], "Invalid containerPort: x"],
  [["EXPOSE 80/foo"], "Invalid proto: foo"],
  [["EXPOSE 1-2:3-5"], "Invalid ranges specified for container and host Ports: 3-5 and 1-2"],
  [["ONBUILD FROM x"], "FROM isn't allowed as an ONBUILD trigger"],
  [["ONBUILD ONBUILD x"], "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"],
  [["VOLUME $x"], "VOLUME specified can not be an empty string"],
  [["WORKDIR $x"], "cannot normalize nothing"],
  [["HEALTHCHECK --interval=1ns CMD a"], 'Interval "interval" cannot be less than 1ms'],
  [["HEALTHCHECK --retries=0 CMD a"], "--retries must be at least 1 (not 0)"],
  [["HEALTHCHECK X"], 'Unknown type "X" in HEALTHCHECK (try CMD)'],
];

describe("changes", () => {
  test.each(MADE)("%j", (changes, fields) => {
    expect(applyChanges(EMPTY_CONTAINER_CONFIG, changes)).toEqual({ ...EMPTY_CONTAINER_CONFIG, ...fields });
  });

  test.each(REFUSED)("%j is refused", (changes, message) => {
    expect(() => applyChanges(EMPTY_CONTAINER_CONFIG, changes)).toThrow(message);
  });

  test("add to what is there, and leave the config that they are given alone", () => {
    const before: ContainerConfig = {
      ...EMPTY_CONTAINER_CONFIG,
      env: ["A=b"],
      labels: new Map([["a", "b"]]),
      volumes: set("/v"),
      shell: ["/bin/bash", "-c"],
      cmd: ["old"],
    };
    const copy = structuredClone(before);
    const after = applyChanges(before, ["ENV B=$A", "LABEL c=d", "VOLUME /w", "ENTRYPOINT x"]);
    expect(before).toEqual(copy);
    expect(after).toEqual({
      ...before,
      env: ["A=b", "B=b"],
      labels: new Map([
        ["a", "b"],
        ["c", "d"],
      ]),
      volumes: set("/v", "/w"),
      entrypoint: ["/bin/bash", "-c", "x"],
      cmd: null,
    });
  });

  test("nothing but a VarveError comes of any text", () => {
    const word = fc.constantFrom("ENV", "LABEL", "EXPOSE", "HEALTHCHECK", "VOLUME", "ONBUILD", "CMD", "USER");
    const changes = fc.array(
      fc.oneof(
        fc.string(),
        fc.tuple(word, fc.string()).map((parts) => parts.join(" ")),
      ),
    );
    fc.assert(
      fc.property(changes, (lines) => {
        try {
          applyChanges(EMPTY_CONTAINER_CONFIG, lines);
        } catch (error) {
          expect(isVarveError(error, "invalid-argument")).toBe(true);
        }
      }),
    );
  });

  test("substitutions without an end cost neither stack nor time", () => {
    const deep = `ENV A=${"${x:-".repeat(10_000)}`;
    expect(() => applyChanges(EMPTY_CONTAINER_CONFIG, [deep])).toThrow("nested too deeply");
    const wide = `USER ${" ".repeat(60_000)}x`;
    expect(applyChanges(EMPTY_CONTAINER_CONFIG, [wide]).user).toBe("x");
  });
});

function set(...keys: string[]): ReadonlySet<string> {
  return new Set(keys);
}
