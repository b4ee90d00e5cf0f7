/**
 * Aligns tab-separated lines the way Docker's tables are aligned: a column is as wide as its widest cell plus three
 * spaces, at least ten, and ends where a line does not have it. What follows a line's last tab is never padded.
 */
const MINIMUM = 10;
const PADDING = 3;

/**
 * @param text lines that end in "\n"; cells are separated by "\t"
 * @example alignColumns("REPOSITORY\tTAG\nx\t1\n") // "REPOSITORY   TAG\nx            1\n"
 */
export function alignColumns(text: string): string {
  const lines = text.split("\n").map((line) => line.split("\t"));
  const widths = lines.map((cells): number[] => new Array(cells.length - 1));
  const columns = lines.reduce((most, cells) => Math.max(most, cells.length - 1), 0);
  for (let column = 0; column < columns; column++) measure(lines, widths, column);
  return lines
    .map((cells, row) => cells.map((cell, column) => pad(cell, widths[row]![column] ?? 0)).join(""))
    .join("\n");
}

/** Gives every unbroken run of lines that have this column one width. */
function measure(lines: readonly string[][], widths: readonly number[][], column: number): void {
  let row = 0;
  while (row < lines.length) {
    const first = row;
    let width = MINIMUM;
    while (row < lines.length && column < lines[row]!.length - 1)
      width = Math.max(width, runeCount(lines[row++]![column]!) + PADDING);
    for (let filled = first; filled < row; filled++) widths[filled]![column] = width;
    if (row === first) row++;
  }
}

function pad(cell: string, width: number): string {
  return cell + " ".repeat(Math.max(0, width - runeCount(cell)));
}

function runeCount(text: string): number {
  if (ASCII.test(text)) return text.length;
  let count = 0;
  for (const _ of text) count++;
  return count;
}

const ASCII = /^[\x00-\x7f]*$/;
