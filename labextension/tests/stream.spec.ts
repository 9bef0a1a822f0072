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
  /** Whether the network is silent: nothing comes, and nothing says so. */
  dead = false;
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
    this.readyState = this.dead ? WebSocket.CLOSING : WebSocket.CLOSED;
    if (!this.dead) {
      this.onclose();
    }
  }

  say(message: Message): void {
    this.onmessage({ data: JSON.stringify(message) });
  }
}

const streams: SocketStream[] = [];

function make(diagnose: () => Promise<Problem | null> = async () => null) {
  const settings = ServerConnection.makeSettings({
    baseUrl: 'http://localhost:8888/user/ada/',
    wsUrl: 'ws://localhost:8888/user/ada/',
    token: 's&cret',
    appendToken: true,
    WebSocket: TestSocket as never
  });
  const stream = new SocketStream(settings, diagnose);
  streams.push(stream);
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
  streams.splice(0).forEach(stream => stream.dispose());
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
    TestSocket.last.say(snapshot());
    expect(phases).toMatchObject([{ phase: 'live' }]);
    expect(messages).toEqual([snapshot()]);
  });

  it('is back in silence after a connection that only broke', async () => {
    const { phases } = make();
    TestSocket.last.open();
    TestSocket.last.say(snapshot());
    TestSocket.last.close();
    await jest.advanceTimersByTimeAsync(1000);
    expect(TestSocket.all).toHaveLength(2);
    TestSocket.last.open();
    TestSocket.last.say(snapshot());
    expect(phases.map(({ phase }) => phase)).toEqual(['live']);
  });

  it('says that the server is gone after the second failure, why, and tries ever more seldom', async () => {
    const problem = { what: 'not enabled', why: '', todo: '' };
    const { phases } = make(async () => problem);
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
    expect(phases[0]).toMatchObject({ phase: 'gone', problem: null });
    expect(phases[1]).toMatchObject({ phase: 'gone', problem });
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

  it('says within seconds that a silent network is one, since when, and is back by itself', async () => {
    const { phases } = make(() => new Promise(() => {})); // the network answers nobody
    TestSocket.last.open();
    TestSocket.last.say(snapshot({ beat: 4 }));
    const heard = Date.now() / 1000;
    TestSocket.last.dead = true;
    await jest.advanceTimersByTimeAsync(9900);
    expect(phases).toMatchObject([{ phase: 'live' }]);
    await jest.advanceTimersByTimeAsync(200);
    expect(phases[1]).toMatchObject({ phase: 'gone', since: heard });
    await jest.advanceTimersByTimeAsync(1000);
    expect(TestSocket.all).toHaveLength(2);
    TestSocket.last.open();
    TestSocket.last.say(snapshot({ beat: 4 }));
    expect(phases[2]).toMatchObject({ phase: 'live' });
    // What the first says at last is of no interest any more.
    TestSocket.all[0].onclose();
    await jest.advanceTimersByTimeAsync(5000);
    expect(TestSocket.all).toHaveLength(2);
  });

  it('waits for as long as a server beats, or has never promised to', async () => {
    const { phases } = make();
    TestSocket.last.open();
    for (let beat = 0; beat < 20; beat++) {
      TestSocket.last.say(snapshot({ beat: 4 }));
      await jest.advanceTimersByTimeAsync(8000);
    }
    TestSocket.last.say(snapshot({ beat: 0 }));
    await jest.advanceTimersByTimeAsync(600_000);
    expect(phases).toHaveLength(1);
  });

  it.each(['offline', 'online'])('asks the server when the browser is %s', async event => {
    const { phases } = make();
    TestSocket.last.open();
    TestSocket.last.say(snapshot({ beat: 4 }));
    window.dispatchEvent(new Event(event));
    expect(TestSocket.last.sent).toHaveLength(2);
    TestSocket.last.say(snapshot({ beat: 4 })); // it is on this machine, and answers
    await jest.advanceTimersByTimeAsync(6000);
    expect(phases).toHaveLength(1);
    window.dispatchEvent(new Event(event));
    await jest.advanceTimersByTimeAsync(5100);
    expect(phases[1]).toMatchObject({ phase: 'gone' });
  });

  it('does not wait for ever for a connection to open', async () => {
    const { phases } = make();
    TestSocket.last.dead = true;
    await jest.advanceTimersByTimeAsync(21_000);
    expect(phases).toMatchObject([{ phase: 'gone' }, { phase: 'gone' }]);
    expect(TestSocket.all).toHaveLength(2);
  });

  it('tries at once when it is asked to, also while a try hangs', async () => {
    const { stream } = make();
    TestSocket.last.dead = true;
    await jest.advanceTimersByTimeAsync(21_000);
    TestSocket.last.dead = true;
    stream.retry();
    expect(TestSocket.all).toHaveLength(3);
  });

  it('does not reconnect once it is disposed', async () => {
    const { stream } = make();
    TestSocket.last.open();
    stream.dispose();
    await jest.advanceTimersByTimeAsync(120_000);
    expect(TestSocket.all).toHaveLength(1);
  });
});
