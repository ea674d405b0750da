// What commands need that talk to a running registry: where it is, and as whom they call it.
import { CommandError } from "./command.ts";
import { needed, notHttpUrl, type Option, UsageError } from "./options.ts";

/** For {@link Command.options} of a command that calls a registry; {@link registryOf} takes their values. */
export const REGISTRY_OPTIONS = {
  url: needed({
    help: "Where the registry is.",
    placeholder: "URL",
    env: "REGISTRY_URL",
    check: notHttpUrl,
  }),
  "app-id": needed({ help: "The app's id.", placeholder: "ID", env: "REGISTRY_APP_ID" }),
  "api-key": needed({
    help: "An API key of the app. Prefer the environment: arguments are seen by every process of the machine.",
    placeholder: "KEY",
    env: "REGISTRY_API_KEY",
  }),
};

type Given = { url: string | null; "app-id": string | null; "api-key": string | null };

/** As {@link REGISTRY_OPTIONS}, of a command that can do without; {@link targetOf} takes their values. */
export const OPTIONAL_REGISTRY_OPTIONS = {
  url: optional(REGISTRY_OPTIONS.url),
  "app-id": optional(REGISTRY_OPTIONS["app-id"]),
  "api-key": optional(REGISTRY_OPTIONS["api-key"]),
};

function optional<T>(option: Option<T>): Option<T | null> {
  return { ...option, absent: () => null };
}

/**
 * Which registry is meant, and as whom it is called.
 * @throws {UsageError} where one of the options is absent
 */
export function targetOf(values: Given): { url: string; appId: string; apiKey: string } {
  const [url, appId, apiKey] = [values.url, values["app-id"], values["api-key"]];
  const { url: ofUrl, "app-id": ofApp, "api-key": ofKey } = REGISTRY_OPTIONS;
  if (url === null || appId === null || apiKey === null) {
    const missing = url === null ? ["--url", ofUrl] : appId === null ? ["--app-id", ofApp] : ["--api-key", ofKey];
    throw new UsageError(`${missing[0]} is needed, or ${(missing[1] as Option<string>).env} in the environment`);
  }
  return { url, appId, apiKey };
}

/** A running registry, called as a back end or as a client. */
export interface Registry {
  /** `data` of the reply. Throws a {@link CommandError} with the registry's own words where it refuses or is not there. */
  call(method: string, path: string, body?: unknown): Promise<unknown>;
}

/**
 * The registry that the options of {@link REGISTRY_OPTIONS} name; `as`: headers of who calls, instead of the API key. A call
 * that takes longer than `timeoutMs` is given up, and counts as one that was not answered.
 */
export function registryOf(
  values: { url: string; "app-id": string; "api-key": string },
  as: Record<string, string> = { apikey: values["api-key"] },
  timeoutMs?: number,
): Registry {
  const base = values.url.replace(/\/+$/, "");
  const headers = { appId: values["app-id"], ...as, "content-type": "application/json" };
  return {
    async call(method, path, body) {
      // The key is for this host alone.
      const sent: RequestInit = { method, headers, redirect: "error" };
      if (body !== undefined) sent.body = JSON.stringify(body);
      if (timeoutMs !== undefined) sent.signal = AbortSignal.timeout(timeoutMs);
      const answered = async () => {
        const response = await fetch(`${base}${path}`, sent);
        return { status: response.status, text: await response.text() };
      };
      const { status, text } = await answered().catch((error: Error) => {
        const cause = error.cause instanceof Error ? `: ${error.cause.message}` : "";
        throw new CommandError(`${base} does not answer${cause}`);
      });
      return dataIn(text, `${method} ${path} was answered ${status}`);
    },
  };
}

/** As `registry`, but that a call is repeated where that may help: only calls that may happen twice. */
export function patient(registry: Registry, repeats: number, waitMs: number): Registry {
  return {
    async call(method, path, body) {
      for (let failures = 0; ; failures += 1) {
        try {
          return await registry.call(method, path, body);
        } catch (error) {
          if (!(error instanceof CommandError) || failures === repeats || !mayHelp(error)) throw error;
          await new Promise((resolve) => setTimeout(resolve, Math.min(60_000, waitMs * 2 ** failures)));
        }
      }
    },
  };
}

/** Whether the registry, or an object of it, only was not there. */
export function mayHelp({ message }: CommandError): boolean {
  return message.includes("does not answer") || /was answered (429|5\d\d)/.test(message);
}

function dataIn(text: string, what: string): unknown {
  let reply: { data?: unknown; error?: { code?: string; message?: string; details?: Record<string, string[]> } };
  try {
    reply = JSON.parse(text);
  } catch {
    throw new CommandError(`${what}, with no JSON: is that a registry?`);
  }
  if (reply.data !== undefined) return reply.data;
  const { code = "", message = text.slice(0, 200), details } = reply.error ?? {};
  throw new CommandError([`${what} ${code}: ${message}`, ...Object.values(details ?? {}).flat()].join(" "));
}
