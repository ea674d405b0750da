// The certificate of `npm start`: SDKs speak https only. Nobody signed it; it is made once and kept, so that a browser that was told to
// accept it, or a program that was given it, goes on doing so.
import { X509Certificate } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { isIP } from "node:net";
import { join } from "node:path";
import { generate } from "selfsigned";

/** Apple's systems refuse a longer life. */
const LIFE_DAYS = 820;
const DAY_MS = 86_400_000;

export interface Certificate {
  key: string;
  cert: string;
  /** The file of `cert`. */
  path: string;
}

/** The certificate that is kept in a directory; a new one if there is none, it ends within a day, or it lacks one of the names. */
export async function localCertificate(directory: string, hosts: readonly string[]): Promise<Certificate> {
  const paths = { key: join(directory, "key.pem"), cert: join(directory, "cert.pem") };
  const kept = await read(paths);
  if (kept !== null && isGood(kept.cert, hosts)) return { ...kept, path: paths.cert };
  const { private: key, cert } = await generate([{ name: "commonName", value: "Push Token Registry, npm start" }], {
    keyType: "ec",
    notAfterDate: new Date(Date.now() + LIFE_DAYS * DAY_MS),
    extensions: [
      {
        name: "subjectAltName",
        altNames: hosts.map((host) => (isIP(host) === 0 ? { type: 2, value: host } : { type: 7, ip: host })),
      },
    ],
  });
  await mkdir(directory, { recursive: true });
  await writeFile(paths.key, key, { mode: 0o600 });
  await writeFile(paths.cert, cert);
  return { key, cert, path: paths.cert };
}

async function read(paths: { key: string; cert: string }): Promise<{ key: string; cert: string } | null> {
  try {
    return { key: await readFile(paths.key, "utf8"), cert: await readFile(paths.cert, "utf8") };
  } catch {
    return null;
  }
}

function isGood(pem: string, hosts: readonly string[]): boolean {
  try {
    const certificate = new X509Certificate(pem);
    const covers = (host: string) => (isIP(host) === 0 ? certificate.checkHost(host) : certificate.checkIP(host));
    return Date.parse(certificate.validTo) > Date.now() + DAY_MS && hosts.every((host) => covers(host) !== undefined);
  } catch {
    return false;
  }
}
