// What can go wrong between the Worker and its objects, put between them: a namespace whose calls fail on purpose. The
// objects behind it are the real ones.

import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { vi } from "vitest";
import { createApp } from "../../src/app.ts";
import type { Reply, TestSession } from "./client.ts";
import { userObject } from "./objects.ts";

export { userObject } from "./objects.ts";

/** Makes of a call what its caller is to see; `call` without arguments passes on the caller's own. */
export type Fault = (
  call: (...changed: unknown[]) => Promise<unknown>,
  method: string,
  args: unknown[],
) => Promise<unknown>;

/** Errors as the runtime throws them: by their flags (workerd jsg/util.c++; facts about messages are of its docs). */
export const platformErrors = {
  connectionLost: () => Object.assign(new Error("Network connection lost."), { retryable: true, remote: true }),
  overloaded: () =>
    Object.assign(new Error("Durable Object is overloaded. Too many requests queued."), {
      overloaded: true,
      remote: true,
    }),
  reset: () =>
    Object.assign(new Error("Durable Object reset because its code was updated."), { durableObjectReset: true }),
  ownCode: () => Object.assign(new Error("a mistake with /secrets/ in it"), { remote: true, durableObjectId: "0123" }),
};

/** The error comes instead of the call. */
export function failBefore(error: () => Error): Fault {
  return () => Promise.reject(error());
}

/** The call takes effect, and its reply is lost. */
export function failAfter(error: () => Error): Fault {
  return async (call) => {
    await call();
    throw error();
  };
}

/** `fault` on the first `times` calls, none afterwards. */
export function first(times: number, fault: Fault): Fault {
  let seen = 0;
  return (call, method, args) => {
    seen += 1;
    return seen <= times ? fault(call, method, args) : call();
  };
}

/** `fault` on the calls of one method. */
export function on(name: string, fault: Fault): Fault {
  return (call, method, args) => (method === name ? fault(call, method, args) : call());
}

/**
 * Holds calls back until `open`, before they are made or, `after`, before they are answered. Polled: a promise that one
 * object resolves cannot be awaited by another or by a test.
 */
export function holdBack({ after = false } = {}): { fault: Fault; reached: () => Promise<void>; open: () => void } {
  let [isReached, isOpen] = [false, false];
  const until = async (condition: () => boolean) => {
    while (!condition()) await scheduler.wait(2);
  };
  return {
    reached: () => until(() => isReached),
    open: () => {
      isOpen = true;
    },
    fault: async (call) => {
      const answer = after ? await call() : undefined;
      isReached = true;
      await until(() => isOpen);
      return after ? answer : await call();
    },
  };
}

/** No answer at all. */
export const silent: Fault = () => new Promise(() => undefined);

/**
 * What comes of `work`, where somebody waits `ms` for an answer that does not come, and how many did. Timers of that length go off
 * at once, and the clock stands still; so nothing in `work` may wait as long for what does come.
 */
export async function outlasting<T>(ms: number, work: () => Promise<T>): Promise<{ outcome: T; waits: number }> {
  const { setTimeout } = globalThis;
  const [now, isFaked] = [Date.now(), vi.isFakeTimers()];
  let waits = 0;
  const hurried = vi.spyOn(globalThis, "setTimeout").mockImplementation(((callback: () => void, delay = 0) => {
    if (delay === ms) waits += 1;
    return setTimeout(callback, delay === ms ? 0 : delay);
  }) as typeof setTimeout);
  if (!isFaked) vi.useFakeTimers({ toFake: ["Date"], now });
  try {
    return { outcome: await work(), waits };
  } finally {
    hurried.mockRestore();
    if (!isFaked) vi.useRealTimers();
  }
}

export interface FaultyNamespace<N> {
  namespace: N;
  /** The methods called, in order, whether or not the call reached its object. */
  calls: string[];
  /** How many stubs were made. */
  stubs: () => number;
}

/** The namespace with `fault` between it and its callers. */
export function withFault<N extends object>(namespace: N, fault: Fault): FaultyNamespace<N> {
  const calls: string[] = [];
  let stubs = 0;
  const faulty = new Proxy(namespace, {
    get(target, property) {
      if (property !== "getByName") return Reflect.get(target, property);
      return (name: string) => {
        stubs += 1;
        return faultyStub((target as unknown as DurableObjectNamespace).getByName(name));
      };
    },
  });
  return { namespace: faulty, calls, stubs: () => stubs };

  function faultyStub(stub: object) {
    return new Proxy(stub, {
      get(target, property) {
        const method = String(property);
        return (...args: unknown[]) => {
          calls.push(method);
          const call = async (...changed: unknown[]) =>
            await (Reflect.get(target, property) as (...a: unknown[]) => unknown)(
              ...(changed.length > 0 ? changed : args),
            );
          return fault(call, method, args);
        };
      },
    });
  }
}

/** As {@link TestSession.call}, by a Worker whose bindings are partly replaced. */
export async function callWith(
  bindings: object,
  session: Pick<TestSession, "app" | "authToken">,
  method: string,
  path: string,
  body?: unknown,
): Promise<Reply> {
  const init: RequestInit = {
    method,
    headers: { appId: session.app, authToken: session.authToken, sdk: "android@4.0.10" },
  };
  if (body !== undefined) init.body = JSON.stringify(body);
  const response = await createApp().request(`https://registry.test${path}`, init, { ...env, ...bindings });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, body: JSON.parse(text) };
}

/** Ends an object's instance as a crash does: its memory is gone, and calls under way fail. */
export async function crash(object: DurableObjectStub): Promise<void> {
  const aborted = runInDurableObject(object, (_, state) => state.abort("a crash"));
  await aborted.catch(() => undefined);
}

/** Puts `fault` between a user's object and the owner objects, until the object is evicted or reset. */
export async function breakOwnersFor(app: string, uid: string, fault: Fault): Promise<{ calls: string[] }> {
  const faulty = withFault(env.TOKEN_OWNERS, fault);
  await rebind(await userObject(app, uid), { TOKEN_OWNERS: faulty.namespace });
  return faulty;
}

/** Puts `fault` between a user's object and the directory, until the object is evicted or reset. */
export async function breakDirectoryFor(app: string, uid: string, fault: Fault): Promise<{ calls: string[] }> {
  const faulty = withFault(env.DIRECTORY, fault);
  await rebind(await userObject(app, uid), { DIRECTORY: faulty.namespace });
  return faulty;
}

/** Puts `fault` between the owner object of a token and the users' objects. */
export async function breakUsersFor(stub: DurableObjectStub, fault: Fault): Promise<{ calls: string[] }> {
  const faulty = withFault(env.USER_TOKENS, fault);
  await rebind(stub, { USER_TOKENS: faulty.namespace });
  return faulty;
}

/** The object's other bindings stay as they are. */
async function rebind(stub: DurableObjectStub, bindings: object): Promise<void> {
  await runInDurableObject(stub, (instance) => {
    Object.assign(instance, { env: { ...Reflect.get(instance, "env"), ...bindings } });
  });
}
