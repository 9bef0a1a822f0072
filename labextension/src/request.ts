import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

import { Fault, Problem } from './state/schema';

/**
 * What the server refused, in the three parts of Python's `MlopsError`; `name` is the class there. `faults` are the
 * fields of what was sent that are wrong, where they are known.
 */
export class MlopsError extends Error implements Problem {
  constructor(
    name: string,
    readonly what: string,
    readonly why = '',
    readonly todo = '',
    readonly status = 0,
    readonly faults: readonly Fault[] = []
  ) {
    super([what, why, todo].filter(Boolean).join('. '));
    this.name = name;
  }
}

/** `error` as a problem that can be shown beside what it is about. */
export function asProblem(error: unknown): Problem {
  if (error instanceof MlopsError) {
    return { what: error.what, why: error.why, todo: error.todo };
  }
  return { what: String((error as Error)?.message ?? error), why: '', todo: '' };
}

/**
 * Ask the server.
 *
 * @param path - under `jupyter-mlops/`, with its query, already encoded.
 * @param init - as for `fetch`; `body` is sent as JSON.
 * @returns the answer's JSON, or undefined when it has none.
 * @throws MlopsError - the server refused, or doesn't answer (`ServerGone`).
 */
export async function request<T>(
  path: string,
  settings: ServerConnection.ISettings,
  init: { method?: string; body?: unknown } = {}
): Promise<T> {
  const url = `${URLExt.join(settings.baseUrl, 'jupyter-mlops')}/${path}`;
  const { method = 'GET', body } = init;
  let response: Response;
  try {
    response = await ServerConnection.makeRequest(
      url,
      { method, body: body === undefined ? undefined : JSON.stringify(body) },
      settings
    );
  } catch {
    throw new MlopsError('ServerGone', 'The Jupyter server doesn’t answer');
  }
  const text = await response.text();
  const data = parse(text);
  if (!response.ok) {
    throw refusal(response, data);
  }
  return data as T;
}

/** The body of an answer that refuses: ours, or Jupyter's, which has a `message` only. */
interface IRefusal extends Partial<Problem> {
  error?: string;
  message?: string;
  faults?: Fault[];
}

function parse(text: string): unknown {
  try {
    return text ? JSON.parse(text) : undefined;
  } catch {
    return text;
  }
}

function refusal(response: Response, data: unknown): MlopsError {
  const { error, what, why, todo, message, faults } = (data ?? {}) as IRefusal;
  if (error && what) {
    return new MlopsError(error, what, why, todo, response.status, faults);
  }
  const status = `${response.status} ${response.statusText}`.trim();
  const name = response.status === 404 ? 'NoExtension' : 'ServerError';
  return new MlopsError(
    name,
    `The Jupyter server answered ${status}`,
    typeof message === 'string' ? message : '',
    '',
    response.status
  );
}
