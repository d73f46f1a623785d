// jsrsasign: a certificate read, a token signed and checked, digests and HMACs.
import { KEYUTIL, KJUR, X509, hextorstr } from "jsrsasign";

export function run({ certificate, privateKey, claims }) {
  const x509 = new X509();
  x509.readCertPEM(certificate);
  const header = { alg: "RS256", typ: "JWT" };
  const key = KEYUTIL.getKey(privateKey);
  const token = KJUR.jws.JWS.sign("RS256", JSON.stringify(header), JSON.stringify(claims), key);
  const publicKey = KEYUTIL.getKey(certificate);
  const accepted = KJUR.jws.JWS.verifyJWT(token, publicKey, {
    alg: ["RS256"], iss: [claims.iss], verifyAt: claims.nbf + 1,
  });
  const late = KJUR.jws.JWS.verifyJWT(token, publicKey, {
    alg: ["RS256"], verifyAt: claims.exp + 1,
  });
  const mac = new KJUR.crypto.Mac({ alg: "HmacSHA256", pass: { utf8: "key" } });
  mac.updateString("message");
  return {
    subject: x509.getSubjectString(),
    algorithm: x509.getSignatureAlgorithmField(),
    serial: x509.getSerialNumberHex(),
    selfSigned: x509.verifySignature(publicKey),
    token,
    accepted,
    late,
    forged: KJUR.jws.JWS.verifyJWT(token.replace(/.$/, (c) => (c === "A" ? "B" : "A")), publicKey, {
      alg: ["RS256"], verifyAt: claims.nbf + 1,
    }),
    digest: KJUR.crypto.Util.hashString("text", "sha384"),
    mac: mac.doFinal(),
    hex: hextorstr("616263"),
  };
}
