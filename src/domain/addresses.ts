// Who shares an address, as far as an address can tell. Pure: no I/O.

/**
 * What a client's address is counted by: an IPv4 address itself, of an IPv6 address its /64. One subscriber has all 2^64
 * addresses of such a network, and may use a new one for each request.
 */
export function networkOf(address: string): string {
  const mapped = address.match(/^::ffff:([\d.]+)$/i)?.[1];
  if (mapped !== undefined || !address.includes(":")) return mapped ?? address;
  const [head = "", tail] = address.toLowerCase().split("::", 2);
  const groups = (text: string) => text.split(":").filter((group) => group !== "");
  const [before, after] = [groups(head), groups(tail ?? "")];
  const zeros = Array(Math.max(0, 8 - before.length - after.length)).fill("0");
  const all = [...before, ...(tail === undefined ? [] : zeros), ...after];
  return `${all
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ""))
    .join(":")}::/64`;
}
