/** The nodes of a parsed template, and their text as error messages quote it. */

/** Where a node stands: the offset of its first byte in the template. */
export type Position = number;

export interface Tree {
  readonly text: string;
  readonly body: Block;
  readonly defined: ReadonlyMap<string, Block>;
}

export type Block = readonly Node[];

export type Node =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "action"; readonly pipeline: Pipeline }
  | {
      readonly kind: "if" | "with" | "range";
      readonly pipeline: Pipeline;
      readonly body: Block;
      readonly otherwise: Block;
    }
  | { readonly kind: "template"; readonly name: string; readonly pipeline: Pipeline | undefined; readonly at: Position }
  | { readonly kind: "break" | "continue" };

export interface Pipeline {
  readonly variables: readonly string[];
  readonly assigns: boolean;
  readonly commands: readonly Command[];
}

export interface Command {
  readonly at: Position;
  readonly operands: readonly Operand[];
}

export type Operand =
  | { readonly kind: "dot" | "nil"; readonly at: Position }
  | {
      readonly kind: "literal";
      readonly value: string | number | boolean;
      readonly source: string;
      readonly at: Position;
    }
  | { readonly kind: "field"; readonly path: readonly string[]; readonly at: Position }
  | { readonly kind: "variable"; readonly name: string; readonly path: readonly string[]; readonly at: Position }
  | { readonly kind: "function"; readonly name: string; readonly at: Position }
  | { readonly kind: "group"; readonly pipeline: Pipeline; readonly path: readonly string[]; readonly at: Position };

/** A command as its author wrote it, with single spaces. */
export function commandText(command: Command): string {
  return command.operands.map(operandText).join(" ");
}

export function operandText(operand: Operand): string {
  switch (operand.kind) {
    case "dot":
      return ".";
    case "nil":
      return "nil";
    case "literal":
      return operand.source;
    case "field":
      return fieldText(operand.path);
    case "variable":
      return operand.name + fieldText(operand.path);
    case "function":
      return operand.name;
    case "group":
      return `(${operand.pipeline.commands.map(commandText).join(" | ")})${fieldText(operand.path)}`;
  }
}

function fieldText(path: readonly string[]): string {
  return path.map((name) => `.${name}`).join("");
}
