// What the objects import from `cloudflare:durable-objects`, for the model: which methods the runtime may repeat.
const marked = new WeakSet<object>();

export function retryable(method: object): void {
  marked.add(method);
}

export function isRetryable(method: object): boolean {
  return marked.has(method);
}
