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
  init: IRequest = {}
): Promise<T> {
  const response = await respond(path, settings, init);
  const data = parse(await response.text());
  if (!response.ok) {
    throw refusal(response, data);
  }
  return data as T;
}

/** What is sent with a request; `body` as JSON. */
interface IRequest {
  method?: string;
  body?: unknown;
}

/** A file that the server made: what it is called, and what is in it. */
export interface IFile {
  name: string;
  content: Blob;
}

/** Ask the server for a file. Otherwise as `request`. */
export async function requestFile(
  path: string,
  settings: ServerConnection.ISettings
): Promise<IFile> {
  const response = await respond(path, settings, {});
  if (!response.ok) {
    throw refusal(response, parse(await response.text()));
  }
  const said = response.headers.get('Content-Disposition') ?? '';
  return { name: /filename="([^"]+)"/.exec(said)?.[1] ?? 'file', content: await response.blob() };
}

async function respond(
  path: string,
  settings: ServerConnection.ISettings,
  init: IRequest
): Promise<Response> {
  const url = `${URLExt.join(settings.baseUrl, 'jupyter-mlops')}/${path}`;
  const { method = 'GET', body } = init;
  try {
    return await ServerConnection.makeRequest(
      url,
      { method, body: body === undefined ? undefined : JSON.stringify(body) },
      settings
    );
  } catch {
    throw new MlopsError('ServerGone', 'The Jupyter server doesn’t answer');
  }
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
