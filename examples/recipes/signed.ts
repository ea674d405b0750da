// What Novu, Stream and Sendbird have in common: a header holds the HMAC-SHA256 of the body as it came, in hexadecimal.

/** The JSON body of a POST whose signature is right, else `null`; so it is without a secret. */
export async function signedJson<Body>(request: Request, header: string, secret: string): Promise<Body | null> {
  if (request.method !== "POST" || !secret) return null;
  const body = await request.arrayBuffer();
  const bytes = (text: string) => new TextEncoder().encode(text);
  const key = await crypto.subtle.importKey("raw", bytes(secret), { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
  const digits = request.headers.get(header)?.match(/[0-9a-f]{2}/gi) ?? [];
  const signature = Uint8Array.from(digits, (pair) => Number.parseInt(pair, 16));
  if (!(await crypto.subtle.verify("HMAC", key, signature, body))) return null;
  try {
    return JSON.parse(new TextDecoder().decode(body)) as Body;
  } catch {
    return null;
  }
}

export const wrongSignature = () => Response.json({ error: "POST a JSON body with its signature" }, { status: 401 });

/** Of work that goes on after the reply, and that nobody else would hear of. */
export function logFailure(error: unknown): void {
  console.error(JSON.stringify({ message: "a push was not sent", error: String(error) }));
}
