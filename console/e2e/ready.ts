// The running server that the tests talk to.
import { readFileSync } from 'node:fs';

export interface Ready {
  url: string;
  ca_file: string;
  admin_user: string;
  admin_password: string;
  workspace_id: string;
}

export function ready(): Ready {
  const file = process.env.WATCHKEEPER_READY_FILE;
  if (!file) throw new Error('set WATCHKEEPER_READY_FILE to the file that `watchkeeper up --ready-file` wrote');
  return JSON.parse(readFileSync(file, 'utf8')) as Ready;
}
