/**
 * How far a load has come: one line a layer that is drawn over on a terminal, as Docker draws it, and one plain line a
 * finished layer elsewhere.
 */
import { amount, type Progressed, progressBar } from "../../engine/progress-bar.ts";

export interface ProgressStep extends Progressed {
  /** Twelve characters of the layer's DiffID. */
  readonly id: string;
  readonly action: string;
}

export interface ProgressOutput {
  readonly isTerminal: boolean;
  readonly columns: number;
  write(text: string): void;
}

const REDRAW_MS = 100;
const CLEAR_LINE = "\x1b[2K\r";

export class Progress {
  readonly #output: ProgressOutput;
  /** The layers that have a line on the screen, in its order. */
  #lines: string[] = [];
  /** The latest of each layer that is under way; several may be. */
  readonly #open = new Map<string, ProgressStep>();
  #drawnAt = 0;

  constructor(output: ProgressOutput) {
    this.#output = output;
  }

  step(step: ProgressStep): void {
    // Where nobody knows how long a layer is, the next one tells that it is over.
    for (const other of this.#open.values()) if (other.id !== step.id && other.total <= 0) this.#close(other);
    this.#open.set(step.id, step);
    const finished = step.current === step.total;
    if (this.#output.isTerminal && (finished || Date.now() - this.#drawnAt >= REDRAW_MS)) this.#draw(step);
    if (finished) this.#close(step);
  }

  /** Before other lines are written: what was drawn stays as it is. */
  finish(): void {
    for (const step of this.#open.values()) this.#close(step);
    this.#lines = [];
  }

  /** The last word on a layer, of which no more steps will come. */
  #close(step: ProgressStep): void {
    this.#open.delete(step.id);
    if (!this.#output.isTerminal) this.#output.write(`${step.id}: ${step.action} ${amount(step.current, step.unit)}\n`);
    else if (step.current !== step.total) this.#draw(step);
  }

  #draw(step: ProgressStep): void {
    const { id } = step;
    const isNew = !this.#lines.includes(id);
    if (isNew) this.#lines.push(id);
    const up = this.#lines.length - this.#lines.indexOf(id);
    const text = `${id}: ${step.action} ${progressBar(step, this.#output.columns)}`;
    this.#output.write(`${isNew ? "\n" : ""}\x1b[${up}A${CLEAR_LINE}${text}\r\x1b[${up}B`);
    this.#drawnAt = Date.now();
  }
}
