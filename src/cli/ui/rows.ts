/**
 * Prints rows by a `--format`: a template per row, or `table` and a template, which adds a header and aligns the
 * columns. `json` gives one JSON object a line, as newer clients do.
 */
import { alignColumns } from "./tab-writer.ts";
import { type FunctionTable, fixed } from "./template/functions.ts";
import { parseTemplate, type Template } from "./template/template.ts";
import { Row, Struct, type Value } from "./template/value.ts";

/** A row's fields, and the header of the column that shows each. */
export interface Columns {
  /** For messages. */
  readonly name: string;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * @param rows one record a row, with a value for every field of `columns`
 * @throws VarveError `invalid-argument` when the format does not parse or asks for a field that rows do not have
 * @example
 * formatRows("table {{.ID}}\t{{.Size}}", { name: "image", headers: { ID: "IMAGE ID", Size: "SIZE" } }, rows)
 */
export function formatRows(format: string, columns: Columns, rows: readonly Readonly<Record<string, Value>>[]): string {
  const template = compileFormat(format);
  const lines = rows.map((row) => `${template.execute(new Row(columns.name, Object.entries(row)))}\n`).join("");
  if (!isTable(format)) return lines;
  const header = parseTemplate(templateOf(format), HEADER_FUNCTIONS);
  return alignColumns(`${header.execute(new Struct(columns.name, Object.entries(columns.headers)))}\n${lines}`);
}

/** The template for a single row, for rows that are printed as they come. */
export function compileFormat(format: string): Template {
  return parseTemplate(templateOf(format));
}

export function isTable(format: string): boolean {
  return format.startsWith("table");
}

function templateOf(format: string): string {
  if (format === "json") return "{{json .}}";
  const template = isTable(format) ? format.slice("table".length) : format;
  return template
    .replace(/^ +| +$/g, "")
    .replaceAll("\\t", "\t")
    .replaceAll("\\n", "\n");
}

/** In a header the words stay as they are, whatever the rows do with their values. */
const HEADER_FUNCTIONS: FunctionTable = {
  ...Object.fromEntries(["json", "title", "lower", "upper"].map((name) => [name, fixed(1, (word: Value) => word)])),
  ...Object.fromEntries(["split", "join", "truncate"].map((name) => [name, fixed(2, (word: Value) => word)])),
};
