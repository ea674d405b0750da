// What apps send in place of a token, a header or a hint that they do not have: the words that languages print for
// nothing. One list; compared without surrounding space and without regard to case.

const WORDS: ReadonlySet<string> = new Set([
  "",
  // JSON, JavaScript, Java, Kotlin, Dart, C#: "" + null, "" + undefined, NaN.toString()
  "null",
  "undefined",
  "nan",
  // Swift and Ruby: "\(token)", token.inspect; Lua, Elixir
  "nil",
  "optional(nil)",
  // Python: str(None); Rust and Scala: None
  "none",
  // Objective-C: [NSString stringWithFormat:@"%@", nil], [NSNull null].description
  "(null)",
  "<null>",
  "nsnull",
  // Go: fmt.Sprint(nil); Parse's dashboard; GLib: g_print("%s", NULL)
  "<nil>",
  "(nil)",
  "(undefined)",
  "<undefined>",
  "(none)",
  "<none>",
  // JavaScript: "" + {}, Object.prototype.toString.call(null)
  "[object object]",
  "[object null]",
  "[object undefined]",
  // Google Play services, to an app that it does not serve (firebase/quickstart-android#212)
  "blacklisted",
]);

/** Whether a text says that there is nothing. */
export function isNothing(text: string): boolean {
  return WORDS.has(text.trim().toLowerCase());
}
