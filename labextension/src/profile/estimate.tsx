import { TranslationBundle } from '@jupyterlab/translation';
import React, { useEffect, useState } from 'react';

import { IApi } from '../api';
import { asProblem } from '../request';
import { Estimate, Problem } from '../state/schema';
import { estimate, money, rates } from '../words/money';
import { IDraft, profileOf } from './draft';

/** Milliseconds after the last key before the server is asked. */
const SETTLE = 350;

/** What the server says of a draft: what it would cost, or why it can't be. */
export interface IVerdict {
  estimate: Estimate | null;
  problem: Problem | null;
}

/** The verdict on `draft`, asked for while it is typed. */
export function useVerdict(api: IApi, draft: IDraft): IVerdict {
  const [verdict, setVerdict] = useState<IVerdict>({ estimate: null, problem: null });
  useEffect(() => {
    let current = true;
    const timer = window.setTimeout(() => {
      // Without a name it can be estimated, but not saved.
      const profile = profileOf({ ...draft, name: draft.name.trim() || 'unnamed' });
      api.estimate(profile).then(
        estimate => current && setVerdict({ estimate, problem: null }),
        error => current && setVerdict({ estimate: null, problem: asProblem(error) })
      );
    }, SETTLE);
    return () => {
      current = false;
      window.clearTimeout(timer);
    };
  }, [api, draft]);
  return verdict;
}

/** What a draft would cost. */
export function EstimateLine(props: { value: Estimate; trans: TranslationBundle }): JSX.Element {
  const { value, trans } = props;
  const cpus = trans._n('%1 CPU', '%1 CPUs', value.cpus);
  const parts = [
    trans.__('%1 and %2 GB at the start', cpus, value.memory_gb.toFixed(1)),
    estimate(trans, value),
    value.most !== null && trans.__('%1 at most', money(trans, value.most, value.currency))
  ];
  return (
    <p className="jp-mlops-estimate" title={rates(trans, value)} data-mlops="estimate">
      {parts.filter(Boolean).join(' · ')}
    </p>
  );
}
