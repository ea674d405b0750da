// Origins in the form in which browsers and WebViews send them. Where the schemes were seen: capacitor and ionic
// (ionic-docs#4546, appwrite#13514, mezzio-cors#40), app and tauri (c15t#1012, gin-contrib/cors#135), tauri.localhost
// (worldmonitor#262), null (tauri#2327), wry (wry#348), serve and extensions (hasura/graphql-engine#6345, vertx-web#2556), file
// (Cordova's Android WebView). What is written in another way than browsers send it: modelence#359, openpanel#150,
// unstract#1938 (capitals, default ports, paths), spring-framework#26892 (slash at the end).
import { describe, it } from "vitest";
import { normalizedOrigin } from "../../src/domain/origins.ts";

describe("an origin", () => {
  it.for([
    ["https://app.example.com", "https://app.example.com"],
    ["https://Web.Acme.example", "https://web.acme.example"],
    ["HTTPS://SHOP.ACME.EXAMPLE:443", "https://shop.acme.example"],
    ["http://localhost:80", "http://localhost"],
    ["http://localhost:3000", "http://localhost:3000"],
    ["https://[::1]:8443", "https://[::1]:8443"],
    ["https://bücher.example", "https://xn--bcher-kva.example"],
    ["capacitor://localhost", "capacitor://localhost"],
    ["ionic://localhost", "ionic://localhost"],
    ["App://Obsidian.md", "app://obsidian.md"],
    ["tauri://localhost", "tauri://localhost"],
    ["http://tauri.localhost", "http://tauri.localhost"],
    ["wry://localhost", "wry://localhost"],
    ["serve://dist", "serve://dist"],
    ["chrome-extension://foobar", "chrome-extension://foobar"],
    ["https://APP.EXAMPLE.COM:443", "https://app.example.com"],
    ["http://Example.COM:80", "http://example.com"],
    ["file://", "file://"],
    ["chrome-extension://aapbdbdomjkkjkaonfhkkikfgjllcleb", "chrome-extension://aapbdbdomjkkjkaonfhkkikfgjllcleb"],
    ["moz-extension://3c1e0c3a-6f43-4b0e-8f2a-0d1f2e3a4b5c", "moz-extension://3c1e0c3a-6f43-4b0e-8f2a-0d1f2e3a4b5c"],
    ["safari-web-extension://1A2B", "safari-web-extension://1a2b"],
    ["null", "null"],
  ] as const)("%s is compared as %s", ([text, origin], { expect }) => {
    expect(normalizedOrigin(text)).toBe(origin);
    expect(normalizedOrigin(origin)).toBe(origin);
  });

  it.for([
    "",
    "app.example.com",
    "https://app.example.com/",
    "https://app.example.com/path",
    "https://test.company.domain/",
    "https://APP.EXAMPLE.COM:443/app",
    "http://Example.COM:80/foo",
    "https://user@app.example.com",
    "https://app.example.com?a=b",
    "https://",
    "https://app.example.com:99999",
    "https://a b.example",
    "//app.example.com",
    "undefined",
  ])("is not %j", (text, { expect }) => {
    expect(normalizedOrigin(text)).toBeNull();
  });
});
