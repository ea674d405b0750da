/** Runs `work` on every item, at most `limit` at once; answers in the order of the items. Rejects with the first failure. */
export async function mapBounded<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = new Array(items.length);
  const remaining = items.entries();
  async function worker(): Promise<void> {
    for (const [i, item] of remaining) results[i] = await work(item);
  }
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
  return results;
}
