// A cheap hash, for spreading names evenly: nobody must be kept from finding two texts of one hash. Pure: no I/O.

/** 53 bits of `text`, each as likely 0 as 1: cyrb53 (public domain; two rounds of MurmurHash3's mixing over 32-bit halves). */
export function cheapHash(text: string): number {
  let high = 0xdeadbeef;
  let low = 0x41c6ce57;
  for (let i = 0; i < text.length; i += 1) {
    const unit = text.charCodeAt(i);
    high = Math.imul(high ^ unit, 0x9e3779b1);
    low = Math.imul(low ^ unit, 0x5f356495);
  }
  const first = mixed(high, low);
  const second = mixed(low, high);
  return (second & 0x1fffff) * 2 ** 32 + (first >>> 0);
}

function mixed(a: number, b: number): number {
  return Math.imul(a ^ (a >>> 16), 0x85ebca6b) ^ Math.imul(b ^ (b >>> 13), 0xc2b2ae35);
}
