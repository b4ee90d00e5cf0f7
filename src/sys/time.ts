/** A moment as the kernel keeps it: whole seconds since the epoch, floored, and the nanoseconds (0 to 999,999,999) after them. */
export interface Time {
  readonly seconds: number;
  readonly nanoseconds: number;
}
