import { ServerConnection } from '@jupyterlab/services';

import { Api } from '../src/api';
import { MlopsError } from '../src/request';

function serve(status: number, body: unknown) {
  const asked: Request[] = [];
  const settings = ServerConnection.makeSettings({
    baseUrl: 'http://localhost:8888/user/ada/',
    fetch: (async (request: Request) => {
      asked.push(request);
      const text = typeof body === 'string' ? body : JSON.stringify(body);
      return new Response(status === 204 ? null : text, { status });
    }) as never
  });
  return { api: new Api(settings), asked };
}

async function errorOf(task: Promise<unknown>): Promise<MlopsError> {
  return task.then(
    () => {
      throw new Error('nothing was thrown');
    },
    error => error
  );
}

describe('Api', () => {
  it('asks below the base address, encoded', async () => {
    const { api, asked } = serve(200, []);
    await api.logs('flights', 'default-1 &x', 50);
    const { pathname, searchParams } = new URL(asked[0].url);
    expect(pathname).toBe('/user/ada/jupyter-mlops/clusters/flights/logs');
    expect(searchParams.get('worker')).toBe('default-1 &x');
    expect(searchParams.get('lines')).toBe('50');
  });

  it('sends JSON', async () => {
    const { api, asked } = serve(202, { id: 'o1' });
    expect(await api.scale('flights', 'default', 4)).toEqual({ id: 'o1' });
    expect(asked[0].method).toBe('PATCH');
    expect(await asked[0].json()).toEqual({ group: 'default', workers: 4 });
  });

  it('takes an answer without a body', async () => {
    const { api } = serve(204, null);
    expect(await api.forget('flights')).toBeUndefined();
  });

  it('raises what the server refused, in its three parts', async () => {
    const body = { error: 'OutOfRange', what: 'Too many', why: 'at most 8', todo: 'Ask for less.' };
    const error = await errorOf(serve(400, body).api.scale('flights', 'default', 99));
    expect(error).toMatchObject({ name: 'OutOfRange', what: 'Too many', status: 400 });
    expect(error.todo).toBe('Ask for less.');
  });

  it('tells a server without our part from one that fails', async () => {
    const missing = await errorOf(serve(404, '<html></html>').api.settings());
    expect(missing.name).toBe('NoExtension');
    const broken = await errorOf(serve(500, '<html></html>').api.settings());
    expect(broken.name).toBe('ServerError');
  });

  it('says when nobody answers', async () => {
    const settings = ServerConnection.makeSettings({
      baseUrl: 'http://localhost:1/',
      fetch: (async () => {
        throw new TypeError('Failed to fetch');
      }) as never
    });
    expect((await errorOf(new Api(settings).settings())).name).toBe('ServerGone');
  });
});
