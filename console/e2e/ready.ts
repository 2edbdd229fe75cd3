// The running server that the tests talk to.
import { createHash, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect } from 'node:tls';

export interface Ready {
  url: string;
  ca_file: string;
  admin_user: string;
  admin_password: string;
  workspace_id: string;
  tenant_id: string;
  client_id: string;
  client_secret: string;
}

export function ready(): Ready {
  const file = process.env.WATCHKEEPER_READY_FILE;
  if (!file) throw new Error('set WATCHKEEPER_READY_FILE to the file that `watchkeeper up --ready-file` wrote');
  return JSON.parse(readFileSync(file, 'utf8')) as Ready;
}

/** SHA-256 of the server's public key, in base64; refused unless its certificate is of the product's own authority. */
export function serverKey(): Promise<string> {
  const { url, ca_file } = ready();
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port), servername: hostname, ca: readFileSync(ca_file) }, () => {
      const certificate = new X509Certificate(socket.getPeerCertificate().raw);
      socket.end();
      resolve(createHash('sha256').update(certificate.publicKey.export({ type: 'spki', format: 'der' })).digest('base64'));
    });
    socket.once('error', reject);
  });
}
