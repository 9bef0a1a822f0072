import { TranslationBundle } from '@jupyterlab/translation';

import { IDeployment } from '../api';
import { ServiceState } from '../state/schema';
import { versionName } from '../words/model';

/** The part of a deployment that says how a version comes to serve. */
export type How = Pick<IDeployment, 'way'>;

/**
 * How a version can be deployed, each in words, the first as it is where nobody picks: where another one of the model
 * answers at its service, it takes its place, or is tried beside it first.
 */
export function waysToServe(
  trans: TranslationBundle,
  services: readonly ServiceState[],
  model: string,
  version: number
): { words: string; how: How }[] {
  const there = services.find(
    each => each.name === model && each.model === model && each.phase === 'ready'
  );
  const all = [{ words: '', how: {} as How }];
  if (!there || there.version === 0 || there.version === version) {
    return all;
  }
  const before = versionName(model, there.version);
  all[0].words =
    version < there.version
      ? trans.__('In place of %1, which is newer', before)
      : trans.__('In place of %1', before);
  return [
    ...all,
    {
      words: trans.__('As a canary: it answers more and more, while it does no harm'),
      how: { way: 'canary' }
    },
    { words: trans.__('In an A/B test: it answers half, until you decide'), how: { way: 'ab' } },
    { words: trans.__('As a shadow: it answers nobody, and is compared'), how: { way: 'shadow' } }
  ];
}
