// Names of objects and tokens. Names and ids of objects reach logs, so they hold hashes, never a uid or a token.

import { cheapHash } from "../domain/hash.ts";
import type { Kind } from "../domain/kinds.ts";
import { SHORT_HASH_LENGTH } from "../domain/registration.ts";
import { OWNER_SHARDS } from "../limits.ts";

const encoder = new TextEncoder();

/** SHA-256 of `text` (UTF-8), base64url without padding: 43 characters. */
export async function sha256(text: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", encoder.encode(text)));
  return btoa(String.fromCharCode(...digest))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}

/**
 * The hash under which objects know an installation, by its identity (domain/token.ts). Kinds contain no colon, so no two
 * (kind, identity) share an input.
 */
export function tokenHash(kind: Kind, identity: string): Promise<string> {
  return sha256(`${kind}:${identity}`);
}

/** What owner objects call a user: a hash of the length-prefixed (appId, uid). */
export function userHash(appId: string, uid: string): Promise<string> {
  return sha256(`${appId.length}:${appId}${uid.length}:${uid}`);
}

/** Name of the UserTokens object of a user. */
export function userTokensName(appId: string, user: string): string {
  return `${appId}:${user}`;
}

/** Name of the object that keeps a user's marks while the user's own is restored: no hash of a uid has this form. */
export function safeNameOf(name: string): string {
  return `${name}:restore`;
}

/** Name of the TokenOwners object that knows a token's owner: the shard is the first 8 bits of the token's hash. */
export function tokenOwnersName(appId: string, hash: string): string {
  const start = hash.slice(0, 2).replaceAll("-", "+").replaceAll("_", "/");
  return ownersShardName(appId, atob(start).charCodeAt(0) % OWNER_SHARDS);
}

/** Name of a TokenOwners object by its number, from 0 on. */
export function ownersShardName(appId: string, shard: number): string {
  return `${appId}:owners:${shard}`;
}

/** Which of an app's directory objects are meant: another number of objects, or another epoch, are other objects. */
export interface DirectorySettings {
  objects: number;
  /** Raised, every user is published anew. */
  epoch: number;
}

/** What tells the objects of one setting from those of another. */
export function directoryGeneration({ objects, epoch }: DirectorySettings): string {
  return `${epoch}:${objects}`;
}

/** Which of the directory objects, from 0 on, knows the user. */
export function directoryShard({ objects }: DirectorySettings, uid: string): number {
  return cheapHash(uid) % objects;
}

/** Name of a directory object. */
export function directoryName(appId: string, directory: DirectorySettings, shard: number): string {
  return `${appId}:directory:${directoryGeneration(directory)}:${shard}`;
}

/** The app in an object's own name. `appId` holds no colon (config/schema.ts). */
export function appOfName(name: string): string {
  return name.slice(0, name.indexOf(":"));
}

/** The user hash in the name of a UserTokens object. */
export function userOfName(name: string): string {
  return name.slice(name.indexOf(":") + 1);
}

/** What a record or a log line says of a token. */
export function shortToken(hash: string): string {
  return hash.slice(0, SHORT_HASH_LENGTH);
}

/** What a log line may say of a user: enough to tell two lines of one user, useless to address the object. */
export function shortUser(user: string): string {
  return user.slice(0, SHORT_HASH_LENGTH);
}
