// What `push-token-registry/testing` takes and answers. It imports nothing, so that the types of no other package are needed.

export interface RegistryOptions {
  /**
   * The app's table, with the fields that it has in wrangler.toml: docs/apps.md. By default `{ appId: "test" }`: auth tokens are
   * minted by {@link Registry.mint}, and everything else is as it is without a word.
   */
  app?: { appId?: string; [field: string]: unknown };
  /** Of an app whose login signs its JWTs with HS256: the secrets, of at least 32 characters. */
  jwtSecrets?: readonly string[];
  /** What the clock shows at the start (a Date, or epoch ms). It runs on from there. The real time by default. */
  now?: Date | number;
  /** Where the data is kept for a later start, for one registry at a time. A temporary directory by default. */
  directory?: string;
  /** Workers beside the registry, by name. */
  workers?: Readonly<Record<string, WorkerBeside>>;
  /** Gets each line of the Workers' logs. */
  onLog?: (line: string) => void;
}

/** A Worker of your own, such as a sender. */
export interface WorkerBeside {
  /** One ES module, with everything in it that it needs. */
  script: string;
  /** Vars and secrets; objects become JSON. */
  bindings?: Readonly<Record<string, string | object>>;
  /** Name of its service binding to what senders ask, for the app: examples/sender. */
  pushTokens?: string;
  /** Its entrypoint for test pushes (`TestPush` in examples/sender), which the registry then calls. */
  testPush?: string;
}

/** By scope, made anew at each start. */
export interface ApiKeys {
  fullAccess: string;
  sender: string;
  authOnly: string;
}

export interface Registry {
  /** `http://127.0.0.1:<port>`. It stays the same over {@link Registry.reset}. */
  readonly url: string;
  readonly appId: string;
  readonly apiKeys: ApiKeys;
  /** What its clock shows, epoch ms. */
  now(): number;
  /** Logs a user in, as a back end does: an auth token of a new session. Only for apps of identity `issued`. */
  mint(uid: string): Promise<string>;
  /** The tokens that a sender would push to, sorted. Those of muted devices are not among them. */
  tokensOf(uid: string): Promise<string[]>;
  /**
   * A call of a back end, with the key of full access. Answers `data` of the reply.
   * @throws {Error} with the registry's own words if it refuses
   */
  // biome-ignore lint/suspicious/noExplicitAny: tests read whatever JSON came, and assert on it
  call(method: string, path: string, body?: unknown): Promise<any>;
  /** A request to one of the Workers beside the registry. */
  fetchFrom(worker: string, url: string, init?: RequestInit): Promise<Response>;
  /** Lets days pass, or parts of one: whatever expires by then has expired, and every alarm has rung at its time. */
  advance(days: number): Promise<void>;
  /** Back to the start: nobody is registered, and the clock shows what it showed then, or the real time. */
  reset(): Promise<void>;
  /** Ends its processes and removes what it kept, but for `directory`. */
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}
