import { ServerConnection } from '@jupyterlab/services';

import { Problem } from '../src/state/schema';
import { IConnection } from '../src/state/state';
import { Message, SocketStream } from '../src/state/stream';
import { snapshot } from './examples';

/** A websocket whose other end is the test. */
class TestSocket {
  static all: TestSocket[] = [];
  static get last(): TestSocket {
    return TestSocket.all[TestSocket.all.length - 1];
  }
  readyState: number = WebSocket.CONNECTING;
  readonly sent: string[] = [];
  onopen: () => void = () => {};
  onmessage: (event: { data: string }) => void = () => {};
  onclose: () => void = () => {};

  constructor(readonly url: string) {
    TestSocket.all.push(this);
  }

  open(): void {
    this.readyState = WebSocket.OPEN;
    this.onopen();
  }

  send(text: string): void {
    this.sent.push(text);
  }

  close(): void {
    this.readyState = WebSocket.CLOSED;
    this.onclose();
  }
}

function make(problem: Problem | null = null) {
  const settings = ServerConnection.makeSettings({
    baseUrl: 'http://localhost:8888/user/ada/',
    wsUrl: 'ws://localhost:8888/user/ada/',
    token: 's&cret',
    appendToken: true,
    WebSocket: TestSocket as never
  });
  const stream = new SocketStream(settings, async () => problem);
  const phases: IConnection[] = [];
  const messages: Message[] = [];
  stream.connection.connect((_, connection) => phases.push(connection));
  stream.message.connect((_, message) => messages.push(message));
  const hello = { type: 'hello', epoch: null, seq: null } as const;
  stream.start(() => ({ ...hello, follow_clusters: [], follow_runs: [] }));
  return { stream, phases, messages };
}

function hide(hidden: boolean): void {
  Object.defineProperty(document, 'hidden', { configurable: true, value: hidden });
  document.dispatchEvent(new Event('visibilitychange'));
}

beforeEach(() => {
  TestSocket.all = [];
  jest.useFakeTimers();
});
afterEach(() => {
  hide(false);
  jest.useRealTimers();
});

describe('SocketStream', () => {
  it('says hello when it is open, with the token in the address', () => {
    make();
    expect(TestSocket.last.url).toBe(
      'ws://localhost:8888/user/ada/jupyter-mlops/stream?token=s%26cret'
    );
    TestSocket.last.open();
    expect(JSON.parse(TestSocket.last.sent[0])).toMatchObject({ type: 'hello', epoch: null });
  });

  it('is live with the first message', () => {
    const { phases, messages } = make();
    TestSocket.last.open();
    expect(phases).toEqual([]);
    TestSocket.last.onmessage({ data: JSON.stringify(snapshot()) });
    expect(phases).toMatchObject([{ phase: 'live' }]);
    expect(messages).toEqual([snapshot()]);
  });

  it('is back in silence after a connection that only broke', async () => {
    const { phases } = make();
    TestSocket.last.open();
    TestSocket.last.onmessage({ data: JSON.stringify(snapshot()) });
    TestSocket.last.close();
    await jest.advanceTimersByTimeAsync(1000);
    expect(TestSocket.all).toHaveLength(2);
    TestSocket.last.open();
    TestSocket.last.onmessage({ data: JSON.stringify(snapshot()) });
    expect(phases.map(({ phase }) => phase)).toEqual(['live']);
  });

  it('says that the server is gone after the second failure, why, and tries ever more seldom', async () => {
    const problem = { what: 'not enabled', why: '', todo: '' };
    const { phases } = make(problem);
    const times: number[] = [];
    for (let tries = 0; tries < 8; tries++) {
      const count = TestSocket.all.length;
      const before = Date.now();
      TestSocket.last.close();
      while (TestSocket.all.length === count) {
        await jest.advanceTimersByTimeAsync(100);
      }
      times.push(Date.now() - before);
    }
    expect(phases[0]).toMatchObject({ phase: 'gone', problem });
    expect(times[0]).toBeLessThan(1000);
    expect(times[3]).toBeGreaterThan(2 * times[1]);
    expect(Math.max(...times)).toBeLessThan(20_000);
  });

  it('hardly tries while the page is hidden, and at once when it is shown', async () => {
    make();
    hide(true);
    TestSocket.last.close();
    await jest.advanceTimersByTimeAsync(30_000);
    expect(TestSocket.all).toHaveLength(1);
    hide(false);
    expect(TestSocket.all).toHaveLength(2);
  });

  it('does not reconnect once it is disposed', async () => {
    const { stream } = make();
    TestSocket.last.open();
    stream.dispose();
    await jest.advanceTimersByTimeAsync(120_000);
    expect(TestSocket.all).toHaveLength(1);
  });
});
