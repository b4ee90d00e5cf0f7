import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { INSPECTED, readGoldens } from "../../../../test/tools/client-goldens.ts";
import { isVarveError, type VarveError } from "../../../errors.ts";
import { imageValue } from "../inspect-value.ts";
import { parseTemplate } from "./template.ts";

const image = imageValue(INSPECTED);

function render(format: string): { output: string; error: string } {
  try {
    return { output: `${parseTemplate(format).execute(image)}\n`, error: "" };
  } catch (error) {
    if (!isVarveError(error, "invalid-argument")) throw error;
    return { output: "", error: (error as VarveError).message };
  }
}

/** Errors that have more to say than Docker's, or point at the call instead of its argument. */
const OWN_WORDS = new Set([
  "{{.Foo}}",
  "{{.Config.Foo}}",
  "{{.Os.foo}}",
  '{{join .Os ","}}',
  "{{truncate .Size 3}}",
  "{{.Os}",
  "{{range $i, := .Config.Env}}{{end}}",
]);

describe("a template renders an inspected image as Docker's client does:", () => {
  for (const golden of readGoldens().inspect) {
    const format = golden.args.at(-1)!;
    test(format, () => {
      const { output, error } = render(format);
      if (OWN_WORDS.has(format)) expect(error).toMatch(/^template parsing error: template: :1/);
      else expect(error).toBe(golden.error.trim());
      if (golden.error === "") expect(output).toBe(golden.output);
    });
  }
});

describe("a template", () => {
  test("that asks for a field that is not there is told which there are", () => {
    expect(render("{{.RootFS.Layer}}").error).toBe(
      'template parsing error: template: :1:9: executing "" at <.RootFS.Layer>: ' +
        "can't evaluate field Layer in type types.RootFS (it has .Type .Layers .BaseLayer)",
    );
  });

  test("says the line of its fault", () => {
    expect(render("a\nb {{.Nope}}").error).toContain("template: :2:4:");
    expect(render("a\nb {{nope}}").error).toContain('template: :2: function "nope" not defined');
  });

  test("that nests without end is refused", () => {
    expect(render("{{if 1}}".repeat(100_000)).error).toContain("nested too deeply");
    expect(render(`{{${"(".repeat(100_000)}}}`).error).toContain("nested too deeply");
    expect(render('{{define "a"}}{{template "a"}}{{end}}{{template "a"}}').error).toContain("maximum template depth");
  });

  test("is never the cause of anything but an answer or a VarveError", () => {
    const piece = fc.constantFrom(
      ..."{{ }} {{- -}} | ( ) , . := = $x $ .Os .Config .Nope.a \"s\" 'c' 1 1.5 nil true ` /* */".split(" "),
      ..."if else end range with define template block break continue".split(" "),
      ..."and or not eq lt len index slice printf print html js json join split pad truncate title".split(" "),
      '"%d %5.2f %*s %q %!"',
      '"%c %U %x %999999999s %.999f %e"',
      "pad",
      "1e9",
      "-3",
      "-1e309",
      "99999999999999999999",
    );
    const text = fc.array(fc.oneof(piece, fc.string({ maxLength: 4 })), { maxLength: 12 });
    fc.assert(
      fc.property(text, (pieces) => void render(pieces.join(" "))),
      { numRuns: 5000 },
    );
    fc.assert(
      fc.property(text, (pieces) => void render(`{{${pieces.join(" ")}}}`)),
      { numRuns: 5000 },
    );
  });
});
