// The user's own devices: docs/devices.md of the registry.
import config from "/config.js";
import { current } from "/session.js";

async function call(method, path, body) {
  const response = await fetch(`${config.registry}/v3.0/me/devices${path}`, {
    method,
    headers: { appId: config.appId, authToken: current().authToken, "Content-Type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const { data, error } = await response.json();
  if (!response.ok) throw new Error(error.message);
  return data;
}

/** `{ id, name, current, muted, … }` each, the most recently seen one first. */
export async function list() {
  return (await call("GET", "")).devices;
}

/** A muted device stays registered, and gets no pushes. */
export function mute(id, muted) {
  return call("PATCH", `/${encodeURIComponent(id)}`, { muted });
}

/** Logs the device out. */
export function end(id) {
  return call("DELETE", `/${encodeURIComponent(id)}`);
}
