/**
 * A set of many names that is only ever asked whether it has one: about sixteen bytes a name, where a `Set` of the
 * names themselves would keep every one of them. It holds 53-bit fingerprints, so an answer "yes" is wrong once in
 * 2^53 names.
 */
export class FingerprintSet {
  #slots = new Float64Array(256);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(fingerprint: number): void {
    if (this.#size * 2 >= this.#slots.length) this.#grow();
    const slot = slotOf(this.#slots, fingerprint);
    if (this.#slots[slot] !== 0) return;
    this.#slots[slot] = fingerprint;
    this.#size++;
  }

  has(fingerprint: number): boolean {
    return this.#slots[slotOf(this.#slots, fingerprint)] !== 0;
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new Float64Array(old.length * 2);
    for (const fingerprint of old) if (fingerprint !== 0) this.#slots[slotOf(this.#slots, fingerprint)] = fingerprint;
  }
}

/** Of a name, or of a name in the directory whose number is `place`. Never 0. */
export function fingerprintOf(name: string, place = 0): number {
  let low = 0x811c9dc5 ^ place;
  let high = 0x9e3779b9 ^ Math.floor(place / 2 ** 32) ^ Math.imul(place, 0x27d4eb2f);
  for (let i = 0; i < name.length; i++) {
    const byte = name.charCodeAt(i);
    low = Math.imul(low ^ byte, 0x01000193);
    high = Math.imul((high << 5) ^ (high >>> 27) ^ byte, 0x85ebca6b);
  }
  low = Math.imul(low ^ (low >>> 15), 0x2c1b3c6d);
  high = Math.imul(high ^ (high >>> 13), 0x297a2d39);
  return ((high ^ (high >>> 16)) & 0x1fffff) * 2 ** 32 + ((low ^ (low >>> 12)) >>> 0) || 1;
}

/** Where the fingerprint is, or the free slot where it would go. */
function slotOf(slots: Float64Array, fingerprint: number): number {
  const mask = slots.length - 1;
  let slot = (fingerprint >>> 0) & mask;
  while (slots[slot] !== 0 && slots[slot] !== fingerprint) slot = (slot + 1) & mask;
  return slot;
}
