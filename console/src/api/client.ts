// One way to talk to the server: same origin, JSON, the session cookie and its CSRF token, errors as `ApiError`.

/** The part of an error that says where in the query it lies. */
export interface ErrorPlace {
  line: number;
  /** Characters before the fault on its line. */
  pos: number;
  token?: string;
}

interface ErrorBody {
  code?: string;
  message?: string;
  line?: number;
  pos?: number;
  token?: string;
  innererror?: ErrorBody;
}

/** What the server refused, in its own words. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  /** The messages of the inner errors, outermost first. */
  readonly details: string[];
  readonly place: ErrorPlace | undefined;

  constructor(status: number, body: ErrorBody) {
    super(body.message ?? `the server answered with status ${status}`);
    this.name = 'ApiError';
    this.status = status;
    this.code = body.code ?? String(status);
    const details: string[] = [];
    let place: ErrorPlace | undefined;
    for (let inner = body.innererror; inner; inner = inner.innererror) {
      if (inner.message && inner.message !== body.message) details.push(inner.message);
      if (inner.line !== undefined && inner.pos !== undefined) {
        place = { line: inner.line, pos: inner.pos, ...(inner.token ? { token: inner.token } : {}) };
      }
    }
    this.details = details;
    this.place = place;
  }
}

let csrfToken = '';
let onSignedOut: () => void = () => undefined;

/** Remembers the token that every changing request must carry. */
export function setCsrfToken(token: string): void {
  csrfToken = token;
}

/** Sets what happens when the server says that the session has ended. */
export function setSignedOutHandler(handler: () => void): void {
  onSignedOut = handler;
}

export interface RequestOptions {
  method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

/** Sends one request; `undefined` stands for an empty answer. Throws `ApiError`, or what `fetch` throws. */
export async function request<T>(path: string, options: RequestOptions = {}): Promise<T | undefined> {
  const method = options.method ?? 'GET';
  const headers: Record<string, string> = { Accept: 'application/json', ...options.headers };
  if (method !== 'GET') headers['X-CSRF-Token'] = csrfToken;
  if (options.body !== undefined) headers['Content-Type'] = 'application/json';
  const response = await fetch(path, {
    method,
    headers,
    credentials: 'same-origin',
    body: options.body === undefined ? null : JSON.stringify(options.body),
    signal: options.signal ?? null,
  });
  const text = await response.text();
  if (!response.ok) {
    if (response.status === 401 && path !== '/api/session') onSignedOut();
    throw new ApiError(response.status, errorBody(text));
  }
  return text === '' ? undefined : (JSON.parse(text) as T);
}

function errorBody(text: string): ErrorBody {
  try {
    return (JSON.parse(text) as { error?: ErrorBody }).error ?? {};
  } catch {
    return text ? { message: text.slice(0, 500) } : {};
  }
}
