// As in the clone of an operator: with the first secret in wrangler.toml, `npm run types` makes it a variable that every environment of a
// process must have. So it is one here, under a name that nobody has.
declare namespace NodeJS {
  interface ProcessEnv {
    SECRETS_OF_AN_OPERATOR: string;
  }
}
