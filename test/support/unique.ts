// Names that no other test uses: the tests of a file share storage.

let users = 0;

/** A uid that no other test uses. */
export function uniqueUid(): string {
  users += 1;
  return `user-${users}-${crypto.randomUUID()}`;
}

/** A push token that no other test uses. */
export function uniqueToken(name = "token"): string {
  return `${name}:${crypto.randomUUID()}`;
}
