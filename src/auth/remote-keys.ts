// The key set that an issuer publishes, kept in the isolate across requests (RFC 7517). jose's own remote key set is not
// suitable for Workers: it gives up single flight there, drops its keys when the issuer is down, and reads any amount.
//
// - One request to the issuer for any number of requests that miss (http/single-flight.ts).
// - A key that the set does not name leads to a request at most once in JWKS_COOLDOWN_MS; so does an issuer that fails.
// - "The token is dead" is said only because of a key set that came after the question. Else nobody can tell: 503.
import { createLocalJWKSet, type JSONWebKeySet, type JWSHeaderParameters } from "jose";
import { JOSEError } from "jose/errors";
import { isPublicJwk } from "../domain/jwk.ts";
import { readBytes } from "../http/bytes.ts";
import { unavailable } from "../http/errors.ts";
import { SingleFlight } from "../http/single-flight.ts";
import {
  JWKS_BYTES_MAX,
  JWKS_COOLDOWN_MS,
  JWKS_FRESH_MS,
  JWKS_RETRY_MS,
  JWKS_STALE_MS,
  JWKS_TIMEOUT_MS,
  JWKS_WAIT_MS,
  KID_LENGTH_MAX,
} from "../limits.ts";
import { log } from "../log.ts";

/** The key by which a token with this header is verified; `null` if the set has none. */
export type KeyFinder = (header: JWSHeaderParameters) => Promise<CryptoKey | null>;

/** The keys of a set, chosen by `kid`, `alg` and type. */
export function keyFinder(set: JSONWebKeySet): KeyFinder {
  const local = createLocalJWKSet(set);
  return async (header) => {
    try {
      return await local(header);
    } catch (error) {
      if (!(error instanceof JOSEError)) log.warn("a key of a key set cannot be used", { error });
      // Several keys fit where a token names none: no guessing.
      return null;
    }
  };
}

interface Held {
  find: KeyFinder;
  /** When it came, epoch ms. */
  at: number;
}

export class RemoteKeySet {
  readonly #url: string;
  #held: Held | null = null;
  readonly #flight = new SingleFlight<void>(JWKS_WAIT_MS);
  /** When the issuer was last asked, epoch ms. */
  #askedAt = Number.NEGATIVE_INFINITY;

  /** The last question of which the log has said that the next one must wait. */
  #saidOf: number | null = null;

  constructor(url: string) {
    this.#url = url;
  }

  /**
   * The key for a token; `null` if there is none. `mayAskAgain`: whether a key that is not in the set is worth a request.
   * @throws {ApiError} 503 if the issuer is needed and does not answer
   */
  async find(header: JWSHeaderParameters, { mayAskAgain }: { mayAskAgain: boolean }): Promise<CryptoKey | null> {
    const { kid } = header;
    if (kid !== undefined && (typeof kid !== "string" || kid.length > KID_LENGTH_MAX)) return null;
    const arrivedAt = Date.now();
    if (this.#usable(JWKS_FRESH_MS) === null) await this.#ask();
    const held = this.#usable(JWKS_STALE_MS);
    if (held === null) throw this.#unavailable();
    const key = await held.find(header);
    if (key !== null || held.at >= arrivedAt || !mayAskAgain) return key;
    await this.#ask();
    const latest = this.#usable(JWKS_STALE_MS);
    if (latest === null || latest.at < arrivedAt) throw this.#unavailable();
    return latest.find(header);
  }

  #usable(ageMs: number): Held | null {
    return this.#held !== null && Date.now() < this.#held.at + ageMs ? this.#held : null;
  }

  /** When the issuer may be asked again. */
  get #mayAskAt(): number {
    return this.#askedAt + (this.#usable(JWKS_STALE_MS) === null ? JWKS_RETRY_MS : JWKS_COOLDOWN_MS);
  }

  /** Any forged token can lead here: said once per question to the issuer, and no error. */
  #unavailable() {
    if (this.#saidOf !== this.#askedAt) {
      this.#saidOf = this.#askedAt;
      log.info("a token's key is not known yet, and the issuer is not asked again so soon", { url: this.#url });
    }
    return unavailable((this.#mayAskAt - Date.now()) / 1000, undefined, "silent");
  }

  /** Asks the issuer, or waits for whoever does; nothing, if it was asked just now. */
  #ask(): Promise<void> {
    return this.#flight.run("", async () => {
      if (Date.now() < this.#mayAskAt) return;
      this.#askedAt = Date.now();
      try {
        this.#held = { find: keyFinder(await fetchKeySet(this.#url)), at: Date.now() };
      } catch (error) {
        log.warn("a key set was not loaded", { url: this.#url, error });
      }
    });
  }
}

/** Redirects are not followed: they may lead anywhere. */
async function fetchKeySet(url: string): Promise<JSONWebKeySet> {
  const response = await fetch(url, {
    headers: { accept: "application/json, application/jwk-set+json" },
    cache: "no-store",
    redirect: "manual",
    signal: AbortSignal.timeout(JWKS_TIMEOUT_MS),
  });
  if (response.status !== 200 || response.body === null) throw new Error(`the issuer answered ${response.status}`);
  const bytes = await readBytes(response.body, JWKS_BYTES_MAX);
  if (bytes === null) throw new Error(`the key set is larger than ${JWKS_BYTES_MAX} bytes`);
  const set: unknown = JSON.parse(new TextDecoder().decode(bytes));
  const all = (set as { keys?: unknown } | null)?.keys;
  if (!Array.isArray(all)) throw new Error("the key set is malformed");
  const keys = all.filter(isPublicJwk);
  if (keys.length < all.length)
    log.warn("members of a key set are no public keys", { url, ignored: all.length - keys.length });
  if (keys.length === 0) throw new Error("the key set has no usable key");
  return { keys };
}
