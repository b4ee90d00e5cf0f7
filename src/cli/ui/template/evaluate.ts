/** Walks a parsed template over a value. */
import { VarveError } from "../../../errors.ts";
import { CallError, type FunctionTable, member } from "./functions.ts";
import {
  type Block,
  type Command,
  commandText,
  type Node,
  type Operand,
  operandText,
  type Pipeline,
  type Tree,
} from "./syntax.ts";
import { isList, isMap, isTrue, Nil, Struct, show, typeName, type Value } from "./value.ts";

/** Templates that call each other endlessly stop here. */
const DEPTH_LIMIT = 1000;

export function evaluate(tree: Tree, data: Value, functions: FunctionTable): string {
  return new Evaluation(tree, data, functions).run();
}

type Flow = "break" | "continue" | undefined;

class Evaluation {
  readonly #tree: Tree;
  readonly #functions: FunctionTable;
  readonly #output: string[] = [];
  #variables: { name: string; value: Value }[];
  #dot: Value;
  #depth = 0;

  constructor(tree: Tree, data: Value, functions: FunctionTable) {
    this.#tree = tree;
    this.#functions = functions;
    this.#dot = data;
    this.#variables = [{ name: "$", value: data }];
  }

  run(): string {
    this.#walk(this.#tree.body);
    return this.#output.join("");
  }

  #walk(block: Block): Flow {
    for (const node of block) {
      const flow = this.#step(node);
      if (flow !== undefined) return flow;
    }
    return undefined;
  }

  #step(node: Node): Flow {
    switch (node.kind) {
      case "text":
        this.#output.push(node.text);
        return undefined;
      case "action": {
        const value = this.#pipeline(node.pipeline);
        if (node.pipeline.variables.length === 0) this.#output.push(show(value, "<no value>"));
        return undefined;
      }
      case "if":
      case "with":
        return this.#scoped(() => {
          const value = this.#pipeline(node.pipeline);
          if (!isTrue(value)) return this.#walk(node.otherwise);
          return node.kind === "with" ? this.#on(value, node.body) : this.#walk(node.body);
        });
      case "range":
        return this.#scoped(() => this.#range(node));
      case "template":
        this.#call(node);
        return undefined;
      default:
        return node.kind;
    }
  }

  #range(node: Extract<Node, { pipeline: Pipeline; body: Block }>): Flow {
    const { variables } = node.pipeline;
    const items = this.#items(this.#pipeline(node.pipeline), node.pipeline);
    if (items.length === 0) return this.#walk(node.otherwise);
    for (const [key, item] of items) {
      const flow = this.#scoped(() => {
        if (variables.length === 1) this.#set(node.pipeline, variables[0]!, item);
        if (variables.length === 2) this.#set(node.pipeline, variables[0]!, key);
        if (variables.length === 2) this.#set(node.pipeline, variables[1]!, item);
        return this.#on(item, node.body);
      });
      if (flow === "break") break;
    }
    return undefined;
  }

  #items(value: Value, { commands }: Pipeline): [Value, Value][] {
    if (isList(value)) return value.map((item, at) => [at, item]);
    if (isMap(value))
      return Object.keys(value)
        .sort()
        .map((key) => [key, value[key]]);
    if (value === null || value === undefined || value instanceof Nil) return [];
    const command = commands.at(-1)!;
    throw this.#fault(command.at, commandText(command), `range can't iterate over ${show(value)}`);
  }

  #call({ name, pipeline, at }: Extract<Node, { kind: "template" }>): void {
    const body = this.#tree.defined.get(name);
    if (body === undefined)
      throw this.#fault(at, `{{template ${JSON.stringify(name)}}}`, `template ${JSON.stringify(name)} not defined`);
    if (++this.#depth > DEPTH_LIMIT) throw this.#fault(at, name, "exceeded maximum template depth");
    const value = pipeline === undefined ? undefined : this.#pipeline(pipeline);
    const saved = this.#variables;
    this.#variables = [{ name: "$", value }];
    this.#on(value, body);
    this.#variables = saved;
    this.#depth--;
  }

  #on(dot: Value, body: Block): Flow {
    const saved = this.#dot;
    this.#dot = dot;
    const flow = this.#walk(body);
    this.#dot = saved;
    return flow;
  }

  #scoped(run: () => Flow): Flow {
    const depth = this.#variables.length;
    const flow = run();
    this.#variables.length = depth;
    return flow;
  }

  #pipeline(pipeline: Pipeline): Value {
    let piped: [Value] | [] = [];
    for (const command of pipeline.commands) piped = [this.#command(command, piped)];
    const value = piped[0];
    const [variable] = pipeline.variables;
    if (pipeline.variables.length === 1) this.#set(pipeline, variable!, value);
    return value;
  }

  #set({ assigns }: Pipeline, name: string, value: Value): void {
    const known = assigns && this.#variable(name);
    if (known) known.value = value;
    else this.#variables.push({ name, value });
  }

  #variable(name: string): { value: Value } | undefined {
    for (let at = this.#variables.length - 1; at >= 0; at--)
      if (this.#variables[at]!.name === name) return this.#variables[at];
    return undefined;
  }

  #command(command: Command, piped: readonly Value[]): Value {
    const [first, ...rest] = command.operands as [Operand, ...Operand[]];
    if (first.kind === "function") return this.#function(command, first.name, rest, piped);
    if (first.kind === "nil") throw this.#fault(first.at, "nil", "nil is not a command");
    if (rest.length + piped.length > 0) throw this.#notCallable(first);
    return this.#operand(first);
  }

  #notCallable(operand: Operand): VarveError {
    const name = "path" in operand ? operand.path.at(-1) : undefined;
    const problem =
      name === undefined
        ? `can't give argument to non-function ${operandText(operand)}`
        : `${name} is not a method but has arguments`;
    return this.#fault(operand.at, operandText(operand), problem);
  }

  #function(command: Command, name: string, operands: readonly Operand[], piped: readonly Value[]): Value {
    const { least, most, call, stopsAt } = this.#functions[name]!;
    const count = operands.length + piped.length;
    if (count < least || count > most) {
      const wanted = least === most ? `want ${least}` : `want at least ${least}`;
      throw this.#fault(command.at, name, `wrong number of args for ${name}: ${wanted} got ${count}`);
    }
    const args: Value[] = [];
    for (const operand of operands) {
      args.push(this.#operand(operand));
      if (stopsAt?.(args.at(-1))) return call(args);
    }
    args.push(...piped);
    try {
      return call(args);
    } catch (error) {
      if (error instanceof CallError) throw this.#fault(command.at, commandText(command), error.message);
      throw error;
    }
  }

  #operand(operand: Operand): Value {
    switch (operand.kind) {
      case "dot":
        return this.#dot;
      case "nil":
        return null;
      case "literal":
        return operand.value;
      case "field":
        return this.#path(this.#dot, operand.path, operand);
      case "variable":
        return this.#path(this.#variable(operand.name)?.value, operand.path, operand);
      case "group":
        return this.#path(this.#pipeline(operand.pipeline), operand.path, operand);
      case "function":
        return this.#function({ at: operand.at, operands: [operand] }, operand.name, [], []);
    }
  }

  #path(value: Value, path: readonly string[], operand: Operand): Value {
    return path.reduce((parent, name) => this.#field(parent, name, operand), value);
  }

  #field(parent: Value, name: string, operand: Operand): Value {
    const found = member(parent, name);
    if (found !== undefined || isMap(parent) || (parent instanceof Nil && parent.kind === "map")) return found;
    const at = operandText(operand);
    if (parent instanceof Nil) throw this.#fault(operand.at, at, `nil pointer evaluating ${name}`);
    if (parent === null || parent === undefined)
      throw this.#fault(operand.at, at, `nil data; no entry for key ${JSON.stringify(name)}`);
    const fields =
      parent instanceof Struct ? ` (it has ${[...parent.fields.keys()].map((field) => `.${field}`).join(" ")})` : "";
    throw this.#fault(operand.at, at, `can't evaluate field ${name} in type ${typeName(parent)}${fields}`);
  }

  #fault(at: number, node: string, problem: string): VarveError {
    const before = this.#tree.text.slice(0, at).split("\n");
    const place = `${before.length}:${before.at(-1)!.length}`;
    const message = `template parsing error: template: :${place}: executing "" at <${node}>: ${problem}`;
    return new VarveError("invalid-argument", message, { template: this.#tree.text });
  }
}
