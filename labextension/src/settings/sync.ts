import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';

import { report } from '../ask';
import { Price, Settings } from '../state/schema';
import { IState } from '../state/state';
import { Store } from '../state/store';
import { signed } from './price';

/** The settings that both Lab and the server keep. The others are Lab's alone. */
export interface IShared {
  cpuHour: number | null;
  gbHour: number | null;
  gpuHour: number | null;
  currency: string;
  /** What a dollar is in the currency, and what is paid less than lists say, in per cent. */
  dollar: number | null;
  discount: number | null;
  defaultProfile: string | null;
  trackingUri: string | null;
}

/** What Lab's schema has as defaults. */
export const DEFAULTS: IShared = {
  cpuHour: null,
  gbHour: null,
  gpuHour: null,
  currency: 'USD',
  dollar: null,
  discount: null,
  defaultProfile: null,
  trackingUri: null
};

const KEYS = Object.keys(DEFAULTS) as (keyof IShared)[];

/**
 * Keeps Lab's settings and the server's the same. The server's are the truth, because kernels and the command line use
 * them too: they are taken over at the start; what a user then changes in Lab goes to the server. Only while the server
 * has none do Lab's go there at the start.
 */
export class SettingsSync implements IDisposable {
  constructor(
    private readonly settings: ISettingRegistry.ISettings,
    private readonly store: Store
  ) {
    store.changed.connect(this._onState, this);
    store.settingsSaved.connect(() => this._then(() => this._pull()), this);
    settings.changed.connect(this._onSettings, this);
    this._onState(store, { ...store.state, epoch: null });
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    this._isDisposed = true;
    Signal.clearData(this);
  }

  /** Settles when what is under way is done. */
  get idle(): Promise<void> {
    return this._queue;
  }

  /** A server that (re)started may have other settings than this page knows. */
  private _onState(store: Store, before: IState): void {
    if (store.state.epoch !== null && store.state.epoch !== before.epoch) {
      this._then(() => this._pull());
    }
  }

  private _onSettings(): void {
    if (this._known !== null) {
      this._then(() => this._push());
    }
  }

  /** One step after the other: what a step writes must not start one in between. */
  private _then(step: () => Promise<void>): void {
    this._queue = this._queue.then(() => report(step()));
  }

  private async _pull(): Promise<void> {
    const server = sharedOf(await this.store.api.settings());
    const isFirst = this._known === null;
    this._known = server;
    if (isFirst && isSame(server, DEFAULTS)) {
      await this._push();
    } else {
      await this._reflect(server);
    }
  }

  private async _push(): Promise<void> {
    const wanted = readShared(this.settings);
    if (isSame(wanted, this._known!)) {
      return;
    }
    // Asked for again, so that what others keep in it is not put back.
    const current = await this.store.api.settings();
    const answer = await this.store.api.saveSettings(merge(current, wanted));
    this._known = sharedOf(answer ?? merge(current, wanted));
    await this._reflect(this._known, wanted);
  }

  /** Show what the server has; what was changed after `before` was read stays, and goes to the server next. */
  private async _reflect(server: IShared, before = readShared(this.settings)): Promise<void> {
    for (const key of KEYS) {
      const shown = readShared(this.settings)[key];
      if (shown === before[key] && shown !== server[key]) {
        await (server[key] === DEFAULTS[key]
          ? this.settings.remove(key)
          : this.settings.set(key, server[key]));
      }
    }
  }

  private _known: IShared | null = null;
  private _queue: Promise<void> = Promise.resolve();
  private _isDisposed = false;
}

function readShared(settings: ISettingRegistry.ISettings): IShared {
  const entries = KEYS.map(key => [key, settings.composite[key] ?? DEFAULTS[key]]);
  return Object.fromEntries(entries) as IShared;
}

function isSame(one: IShared, other: IShared): boolean {
  return KEYS.every(key => one[key] === other[key]);
}

/** The server's settings as Lab shows them. */
export function sharedOf(settings: Settings): IShared {
  const { price, adjust, default_profile, tracking_uri } = settings;
  const { exchange, discount } = adjust;
  return {
    cpuHour: price.cpu_hour,
    gbHour: price.gb_hour,
    gpuHour: price.gpu_hour,
    currency: price.currency,
    dollar: exchange?.currency === price.currency ? exchange.rate : null,
    discount: discount?.percent || null,
    defaultProfile: default_profile,
    trackingUri: tracking_uri
  };
}

/** The server's settings with Lab's in them. A price that changed says who named it, and when. */
export function merge(current: Settings, shared: IShared): Settings {
  const rates = {
    cpu_hour: shared.cpuHour,
    gb_hour: shared.gbHour,
    gpu_hour: shared.gpuHour,
    currency: shared.currency
  };
  const isUnchanged = (Object.keys(rates) as (keyof typeof rates)[]).every(
    key => rates[key] === current.price[key]
  );
  const price: Price = isUnchanged ? current.price : { ...rates, ...signature(rates) };
  return {
    ...current,
    price,
    adjust: adjusted(current, shared),
    default_profile: shared.defaultProfile || null,
    tracking_uri: shared.trackingUri || null
  };
}

/** What becomes of list prices: what Lab has left alone stays, what is new the server signs. */
function adjusted(current: Settings, shared: IShared): Settings['adjust'] {
  const { adjust } = current;
  const before = sharedOf(current);
  const unsigned = { date: '', by: '' };
  const { currency, dollar, discount } = shared;
  const exchange = dollar === null ? null : { rate: dollar, currency, ...unsigned };
  const less = discount === null ? null : { percent: discount, ...unsigned };
  return {
    exchange: dollar === before.dollar ? adjust.exchange : exchange,
    discount: discount === before.discount ? adjust.discount : less
  };
}

function signature(rates: Pick<Price, 'cpu_hour' | 'gb_hour'>): Pick<Price, 'source' | 'date'> {
  return rates.cpu_hour === null && rates.gb_hour === null ? { source: null, date: '' } : signed();
}
