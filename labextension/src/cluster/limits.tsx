import { Dialog, showDialog } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import { ILimitChange } from '../api';
import { ClusterState } from '../state/schema';
import { used } from '../words/budget';
import { fineMoney } from '../words/money';
import { span } from '../words/time';

/** Ask for another budget and lifetime of a cluster; null when nothing shall be changed. */
export async function askLimits(
  trans: TranslationBundle,
  cluster: ClusterState
): Promise<ILimitChange | null> {
  const typed = { money: '', time: '' };
  const { budget, limits, cost } = cluster;
  const hasMoney = budget
    ? trans.__(
        '%1, of which %2 is used',
        fineMoney(budget.limit, cost.currency),
        used(trans, budget)
      )
    : trans.__('none now');
  const hasTime =
    limits.lifetime === null
      ? trans.__('none now')
      : trans.__('%1 now', span(trans, limits.lifetime));
  const field = (name: 'money' | 'time', label: string, now: string, example: string) => (
    <label className="jp-mlops-limit">
      <span>{label}</span>
      <input
        type="text"
        className="jp-mod-styled"
        placeholder={example}
        data-mlops={`limit-${name}`}
        onChange={event => (typed[name] = event.target.value.trim())}
      />
      <small>{now}</small>
    </label>
  );
  const { button } = await showDialog({
    title: trans.__('Budget and lifetime of %1', cluster.name),
    body: (
      <div className="jp-mlops-limits-dialog" data-mlops="limits-dialog">
        {field('money', trans.__('Budget, %1', cost.currency), hasMoney, trans.__('30, or +10'))}
        {field('time', trans.__('Lifetime since its start'), hasTime, trans.__('30 h, or +1 h'))}
      </div>
    ),
    buttons: [
      Dialog.cancelButton({ label: trans.__('Cancel') }),
      Dialog.okButton({ label: trans.__('Change') })
    ]
  });
  const change: ILimitChange = {
    ...changed(typed.money, 'budget', 'more_money'),
    ...changed(typed.time, 'lifetime', 'more_time')
  };
  return button.accept && Object.keys(change).length > 0 ? change : null;
}

function changed(
  text: string,
  whole: keyof ILimitChange,
  more: keyof ILimitChange
): Partial<ILimitChange> {
  if (text === '') {
    return {};
  }
  return text.startsWith('+') ? { [more]: text.slice(1).trim() } : { [whole]: text };
}
