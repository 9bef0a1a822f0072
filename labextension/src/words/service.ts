import { TranslationBundle } from '@jupyterlab/translation';

import { ServiceState } from '../state/schema';
import { sum } from './money';
import { significant } from './number';
import { wordOf } from './word';

/** What answers at a service: "@3"; nothing while nothing does. */
export function servedVersion(service: ServiceState): string {
  return service.version > 0 ? `@${service.version}` : '';
}

/** How a service is, in a word. */
export function servicePhase(trans: TranslationBundle, phase: ServiceState['phase']): string {
  const words: Record<ServiceState['phase'], string> = {
    starting: trans.__('starting'),
    ready: trans.__('ready'),
    stopping: trans.__('stopping'),
    stopped: trans.__('stopped'),
    dead: trans.__('dead'),
    unreachable: trans.__('out of reach')
  };
  return wordOf(words, phase);
}

/** A service in a few words: how it is, how much is asked of it, what it has cost, and what comes. */
export function serviceInfo(trans: TranslationBundle, service: ServiceState): string {
  const { phase, rate, errors, coming, version, cost } = service;
  const isLive = phase === 'ready' || phase === 'starting';
  return [
    servicePhase(trans, phase),
    isLive && version > 0 && rate !== null
      ? trans.__('%1/s', rate === 0 ? '0' : significant(rate, 2))
      : '',
    cost === null ? '' : cost.amount === null ? trans.__('cost unknown') : sum(trans, cost),
    errors > 0 ? trans._n('%1 error', '%1 errors', errors) : '',
    isLive && coming > 0 && version > 0 ? trans.__('@%1 is coming', coming) : ''
  ]
    .filter(Boolean)
    .join(' · ');
}
