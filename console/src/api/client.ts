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
  /** The field of the request that is wrong. */
  target?: string;
  innererror?: ErrorBody;
}

/** What the server refused, in its own words. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  /** The messages of the inner errors, outermost first. */
  readonly details: string[];
  readonly place: ErrorPlace | undefined;
  /** The field of the request that is wrong, where the server names one. */
  readonly target: string | undefined;
  /** The whole answer, where it is JSON: what else the server says about the refusal. */
  readonly answer: unknown;

  constructor(status: number, body: ErrorBody, answer?: unknown) {
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
    this.target = body.target;
    this.answer = answer;
  }
}

let csrfToken = '';
let onSignedOut: () => void = () => undefined;
let onRefused: () => void = () => undefined;

/** Remembers the token that every changing request must carry. */
export function setCsrfToken(token: string): void {
  csrfToken = token;
}

/** Sets what happens when the server says that the session has ended. */
export function setSignedOutHandler(handler: () => void): void {
  onSignedOut = handler;
}

/** Sets what happens when the server says that the caller may not do something. */
export function setRefusedHandler(handler: () => void): void {
  onRefused = handler;
}

// Pages ask again and again by themselves. Such requests say so, and a session that nobody uses ends.
const idleAfter = 60_000;
let lastInput = Date.now();
// Tests of what builds on this run without a page.
if (typeof document !== 'undefined') {
  for (const event of ['pointerdown', 'pointermove', 'keydown', 'wheel', 'touchstart'] as const) {
    document.addEventListener(event, () => (lastInput = Date.now()), { capture: true, passive: true });
  }
}

export interface RequestOptions {
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Sent as JSON; a `Blob` (a file) as it is. */
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

/** Sends one request; `undefined` stands for an empty answer. Throws `ApiError`, or what `fetch` throws. */
export async function request<T>(path: string, options: RequestOptions = {}): Promise<T | undefined> {
  const method = options.method ?? 'GET';
  const headers: Record<string, string> = { Accept: 'application/json', ...options.headers };
  if (method !== 'GET') headers['X-CSRF-Token'] = csrfToken;
  if (Date.now() - lastInput > idleAfter) headers['X-Watchkeeper-Idle'] = 'yes';
  const isFile = options.body instanceof Blob;
  if (options.body !== undefined) headers['Content-Type'] = isFile ? 'application/octet-stream' : 'application/json';
  const response = await fetch(path, {
    method,
    headers,
    credentials: 'same-origin',
    body: options.body === undefined ? null : options.body instanceof Blob ? options.body : JSON.stringify(options.body),
    signal: options.signal ?? null,
  });
  const text = await response.text();
  if (!response.ok) {
    if (response.status === 401 && path !== '/api/session') onSignedOut();
    if (response.status === 403) onRefused();
    const answer = parsed(text);
    throw new ApiError(response.status, errorBody(answer, text), answer);
  }
  return text === '' ? undefined : (JSON.parse(text) as T);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function errorBody(answer: unknown, text: string): ErrorBody {
  if (typeof answer === 'object' && answer !== null) return (answer as { error?: ErrorBody }).error ?? {};
  return text ? { message: text.slice(0, 500) } : {};
}
