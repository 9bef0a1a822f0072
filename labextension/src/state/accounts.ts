import { ClusterState, Cost } from './schema';

/** What one user's clusters cost together, in one currency. */
export interface IAccount {
  owner: string;
  clusters: number;
  /** How many of them have no price: what they used is in `cost.unknown`. */
  unpriced: number;
  cost: Pick<Cost, 'amount' | 'currency' | 'usage' | 'unknown'>;
}

/** The accounts of all owners of these clusters, by name. */
export function accounts(clusters: Iterable<ClusterState>): IAccount[] {
  const found = new Map<string, IAccount>();
  for (const { owner, cost } of clusters) {
    const key = `${owner} ${cost.currency}`;
    const before = found.get(key);
    found.set(key, add(before ?? nothing(owner, cost.currency), cost));
  }
  return [...found.values()].sort((a, b) => a.owner.localeCompare(b.owner));
}

function nothing(owner: string, currency: string): IAccount {
  const usage = { worker_hours: 0, cpu_hours: 0, gb_hours: 0, gpu_hours: 0 };
  const cost = { amount: null, currency, usage, unknown: usage };
  return { owner, clusters: 0, unpriced: 0, cost };
}

function add(account: IAccount, added: Cost): IAccount {
  const { cost } = account;
  const { amount, usage, unknown } = counted(added);
  return {
    ...account,
    clusters: account.clusters + 1,
    unpriced: account.unpriced + (amount === null ? 1 : 0),
    cost: {
      currency: cost.currency,
      amount: amount === null ? cost.amount : (cost.amount ?? 0) + amount,
      usage: plus(cost.usage, usage),
      unknown: plus(cost.unknown, unknown)
    }
  };
}

/** A cost without any price is unknown as a whole. */
function counted(cost: Cost): IAccount['cost'] {
  const { amount, currency, usage } = cost;
  return { amount, currency, usage, unknown: amount === null ? usage : cost.unknown };
}

function plus(one: Cost['usage'], other: Cost['usage']): Cost['usage'] {
  return {
    worker_hours: one.worker_hours + other.worker_hours,
    cpu_hours: one.cpu_hours + other.cpu_hours,
    gb_hours: one.gb_hours + other.gb_hours,
    gpu_hours: one.gpu_hours + other.gpu_hours
  };
}
