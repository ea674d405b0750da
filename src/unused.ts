// What stands in the bundle for parts of Hono that nothing here calls (`[alias]` in wrangler.toml): forms in bodies, and applications
// mounted in others. A call of one would throw.
export const parseBody = undefined;
export const createMountedRequest = undefined;
