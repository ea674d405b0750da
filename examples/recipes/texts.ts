/** FCM's `data` holds texts only: what is none goes as JSON. */
export function texts(data: Record<string, unknown>): Record<string, string> {
  const entries = Object.entries(data).filter(([, value]) => value !== undefined && value !== null);
  return Object.fromEntries(
    entries.map(([name, value]) => [name, typeof value === "string" ? value : JSON.stringify(value)]),
  );
}
