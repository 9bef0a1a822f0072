import { TranslationBundle } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';

import { CostFormat } from '../api';
import { choose, report } from '../ask';
import { CommandIDs, takes } from '../commands';
import { download } from '../run/output';
import { Store } from '../state/store';

interface ICostFormat {
  as: CostFormat;
  label: string;
  detail: string;
}

/** What a month can be saved as. */
export function formats(trans: TranslationBundle): ICostFormat[] {
  return [
    {
      as: 'csv',
      label: trans.__('CSV'),
      detail: trans.__('a row for each group of each cluster')
    },
    { as: 'parquet', label: trans.__('Parquet'), detail: trans.__('the same, for pandas') },
    { as: 'focus', label: trans.__('FOCUS 1.2'), detail: trans.__('for tools that read bills') },
    { as: 'html', label: trans.__('HTML'), detail: trans.__('a page to read and to send') }
  ];
}

/** Adds the commands about money. */
export function addMoneyCommands(
  commands: CommandRegistry,
  store: Store,
  trans: TranslationBundle
): void {
  const save = async (as: CostFormat): Promise<void> => {
    const { name, content } = await store.api.costs(as);
    download(name, content);
  };
  commands.addCommand(CommandIDs.exportCosts, {
    label: args => (args.label as string | undefined) ?? trans.__('Export What This Month Cost…'),
    describedBy: takes({ as: 'string' }),
    execute: async args => {
      const title = trans.__('Export what this month cost as?');
      const all = formats(trans);
      const format =
        all.find(({ as }) => as === args.as) ??
        (await choose(trans, title, all, ({ label, detail }) => `${label}: ${detail}`, ''));
      if (format) {
        await report(save(format.as));
      }
    }
  });
}
