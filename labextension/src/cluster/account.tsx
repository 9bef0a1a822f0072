import React from 'react';

import { useMlops, useNow } from '../state/hooks';
import { ClusterState } from '../state/schema';
import { accountDetails, accountStep, accountUsed } from '../words/account';

/** The account that pays for a cluster, as one bar: what all of its clusters have spent of it and hold. */
export function AccountPart({ cluster }: { cluster: ClusterState }): JSX.Element | null {
  const { trans } = useMlops();
  const now = useNow(10, true);
  const { account } = cluster;
  if (account === null) {
    return null;
  }
  const words = accountStep(trans, account);
  const title = accountDetails(trans, account, now);
  const part = (amount: number): string => `${Math.min(100, (100 * amount) / account.limit)}%`;
  return (
    <div className="jp-mlops-budget" data-mlops="account" data-step={account.step}>
      <div
        className="jp-mlops-budget-bar"
        role="img"
        aria-label={trans.__('Account %1: %2', account.name, accountUsed(trans, account))}
        title={title}
      >
        <span data-kind="spent" style={{ width: part(account.spent) }} />
        <span data-kind="projected" style={{ width: part(account.held) }} />
      </div>
      <div className="jp-mlops-budget-words" title={title}>
        <span>{trans.__('Account %1', account.name)}</span>
        <span>{accountUsed(trans, account)}</span>
      </div>
      {words && (
        <div className="jp-mlops-budget-step" role="status" data-mlops="account-step">
          {words}
        </div>
      )}
    </div>
  );
}
