// Which methods a path has, for a call with one that it has not (RFC 9110 §15.5.6).

import { PatternRouter } from "hono/router/pattern-router";
import type { RouterRoute } from "hono/types";

/**
 * Answers the methods of a path, each once; empty where there is no such path. Made at the first question: most isolates
 * are never asked.
 */
export function methodsOf(routes: readonly RouterRoute[]): (path: string) => string[] {
  let router: PatternRouter<string> | undefined;
  return (path) => {
    router ??= routerOf(routes);
    return [...new Set(router.match("ALL", path)[0].map(([method]) => method))];
  };
}

function routerOf(routes: readonly RouterRoute[]): PatternRouter<string> {
  const router = new PatternRouter<string>();
  for (const { path, method } of routes) {
    // Middleware is no route: it stands at every method.
    if (method === "ALL") continue;
    router.add("ALL", path, method);
    if (method === "GET") router.add("ALL", path, "HEAD");
  }
  return router;
}
