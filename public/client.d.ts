// Types of client.js. docs/client.md has examples of each platform.

/** What the device wants registered. What a later call leaves out stays as it was, until `logout`. */
export interface Wanted {
  /** Each 1–4096 visible ASCII characters. */
  fcmToken?: string;
  apnsToken?: string;
  voipToken?: string;
  /** Of `fcmToken`; without it the registry looks at the request's headers. */
  platform?: "ios" | "android" | "web";
  providerId?: string;
  timezone?: string;
  /** Each at most 100 characters; `null` clears a field. */
  device?: Partial<
    Record<"id" | "name" | "model" | "os" | "appVersion" | "locale" | "environment" | "bundleId", string | null>
  >;
}

export interface Done {
  ok: true;
  /** Fields that the registry could not use, each with the reason. */
  refused?: Record<string, string>;
  /** Logouts of this device that the registry has not confirmed yet. */
  pending: number;
}

export interface NotDone {
  ok: false;
  /**
   * - `network`: no reply; `unavailable`: 429, 408 or 5xx.
   * - `unauthorized`: 401. Nothing is sent again for this auth token within the hour: log in, then call `register`.
   * - `rejected`: any other refusal. `details` names the field.
   * - `no_auth_token`: `getAuthToken` gave none, or failed.
   * - `logged_out`: a logout came first, or the auth token is one that has logged out.
   * - `queued`: of `logout`: it is in the queue.
   * - `failed`: a fault of the client; `message` has it.
   */
  reason:
    | "network"
    | "unavailable"
    | "unauthorized"
    | "rejected"
    | "no_auth_token"
    | "logged_out"
    | "queued"
    | "failed";
  /** The client repeats it by itself: while the page lives, when the network is back, and at the next start. */
  retrying?: boolean;
  /** HTTP status of the reply; 0: there was none. */
  status?: number;
  /** The registry's own words. */
  code?: string;
  message?: string;
  details?: Record<string, string[]>;
  pending: number;
}

export type Result = Done | NotDone;

/** `localStorage`, React Native's `AsyncStorage` and whatever else has these three; synchronous or not. */
export interface ClientStorage {
  getItem(key: string): string | null | undefined | Promise<string | null | undefined>;
  setItem(key: string, text: string): unknown;
  removeItem(key: string): unknown;
}

export interface RegistrationOptions {
  /** Where the registry is, without a path. */
  url: string;
  appId: string;
  /** The auth token of who is logged in now; `null` if nobody is. Called at each request, and at once by `logout`. */
  getAuthToken: () => string | null | undefined | Promise<string | null | undefined>;
  /** `localStorage` by default; without one, everything is forgotten with the page. */
  storage?: ClientStorage | null;
  /** The platform's by default. */
  fetch?: (url: string, init: RequestInit) => Promise<Response>;
}

export interface Registration {
  /** After each login, and whenever the platform gives a token. One request. */
  register(wanted: Wanted): Promise<Result>;
  /** At each launch. At most one request an hour; none if nothing is wanted. */
  refresh(): Promise<Result>;
  /** Call it before the app forgets the auth token. `ok: false` means: in the queue, and sent later. */
  logout(): Promise<Result>;
}

/** One per page and app. Sends what an earlier page left in the queue. No function of it throws or rejects. */
export function createRegistration(options: RegistrationOptions): Registration;
