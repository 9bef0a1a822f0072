import { Dialog, showDialog } from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import { editIcon, runIcon, stopIcon } from '@jupyterlab/ui-components';
import React, { memo, useMemo } from 'react';

import { report } from '../ask';
import { CommandIDs } from '../commands';
import { Button } from '../controls/button';
import { ProblemLine } from '../controls/problem';
import { Section } from '../sidebar/section';
import { useMlops, useNow, useSelector } from '../state/hooks';
import { ScheduleView } from '../state/schema';
import { matchesSchedule } from '../words/match';
import { everyWords, nextWords, wentWords, whereWords } from '../words/schedule';
import { clock } from '../words/time';

/**
 * The notebooks that run by themselves, those first whose last run failed; those only that are `wanted`, where that isn't
 * empty. Without any, nothing is shown.
 */
export function ScheduleSection({ wanted }: { wanted: string }): JSX.Element | null {
  const { trans } = useMlops();
  const { schedules: all, silent } = useSelector(state => state.schedules);
  const shown = useMemo(() => {
    const found = all.filter(schedule => !wanted || matchesSchedule(schedule, wanted));
    return [...found.filter(hasFailed), ...found.filter(each => !hasFailed(each))];
  }, [all, wanted]);
  if (all.length === 0) {
    return null;
  }
  return (
    <Section name="schedules" title={trans.__('Schedules')} count={all.length} shown={shown.length}>
      {silent.map(problem => (
        <ProblemLine
          key={problem.what}
          problem={{ ...problem, what: trans.__('There may be more: %1', problem.what) }}
        />
      ))}
      {shown.length === 0 && (
        <p className="jp-mlops-hint">{trans.__('No notebook has “%1”.', wanted)}</p>
      )}
      <ul className="jp-mlops-services">
        {shown.map(schedule => (
          <Row key={schedule.id} schedule={schedule} />
        ))}
      </ul>
    </Section>
  );
}

function hasFailed({ phase }: ScheduleView): boolean {
  return phase === 'failed';
}

/** A notebook: when it runs, how that went last, and what one can do with it. */
const Row = memo(function Row({ schedule }: { schedule: ScheduleView }): JSX.Element {
  const { commands, store, trans } = useMlops();
  const places = useSelector(state => state.places);
  const now = useNow(30);
  const { id, notebook, path, phase, place, said, problem, began, created } = schedule;
  const name = PathExt.basename(notebook);
  const went = wentWords(trans, schedule, now);
  const plan = [
    everyWords(trans, schedule),
    nextWords(trans, schedule, now),
    whereWords(schedule, places)
  ];
  const words = plan.filter(Boolean).join(' · ');
  const failed = hasFailed(schedule) ? said || trans.__('it doesn’t say why') : '';
  const isSilent = phase === 'unknown'; // why stands above all
  const end = async (): Promise<void> => {
    const { button } = await showDialog({
      title: trans.__('Let %1 run by itself no more?', name),
      body:
        place === 'local'
          ? trans.__('The notebook stays. What runs of it now goes on to its end.')
          : trans.__(
              'The notebook stays here. What runs of it there is ended, with its cluster, and all that was brought is removed.'
            ),
      buttons: [
        Dialog.cancelButton({ label: trans.__('Cancel') }),
        Dialog.warnButton({ label: trans.__('No more') })
      ]
    });
    if (button.accept) {
      await store.api.unschedule(id);
    }
  };
  return (
    <li className="jp-mlops-model" data-mlops="schedule" data-name={name} data-phase={phase}>
      <div className="jp-mlops-model-row">
        <button
          type="button"
          className="jp-mlops-name"
          title={path ? trans.__('Open %1', path) : notebook}
          disabled={!path}
          onClick={() => void commands.execute('docmanager:open', { path })}
          data-mlops="schedule-open"
        >
          <span>{name}</span>
        </button>
        <span className="jp-mlops-info" title={went} data-mlops="schedule-went">
          {went}
        </span>
      </div>
      {failed && (
        <p className="jp-mlops-model-failed" title={failed} data-mlops="schedule-failed">
          {failed}
        </p>
      )}
      <div className="jp-mlops-service-row">
        <span
          className="jp-mlops-schedule-plan"
          title={
            place === 'local'
              ? undefined
              : trans.__('It runs the notebook as it was at %1', clock(created, now))
          }
          data-mlops="schedule-plan"
        >
          {words}
        </span>
        <span className="jp-mlops-service-buttons">
          {place === 'local' && (
            <Button
              icon={runIcon}
              label={trans.__('Run %1 now', name)}
              disabled={phase === 'running' || phase === 'asked'}
              onClick={() => commands.execute(CommandIDs.runScheduled, { schedule: id })}
              handle="schedule-run"
            />
          )}
          {began !== null && (
            <Button
              label={trans.__('What the last run of %1 printed', name)}
              popup="dialog"
              onClick={() => commands.execute(CommandIDs.scheduleLog, { schedule: id })}
              handle="schedule-log-open"
            >
              {trans.__('log')}
            </Button>
          )}
          {path && (
            <Button
              icon={editIcon}
              label={trans.__('Change when and where %1 runs…', name)}
              popup="dialog"
              onClick={() => commands.execute(CommandIDs.scheduleNotebook, { path })}
              handle="schedule-change"
            />
          )}
          <Button
            icon={stopIcon}
            label={trans.__('Let %1 run by itself no more…', name)}
            popup="dialog"
            onClick={() => report(end())}
            handle="schedule-end"
          />
        </span>
      </div>
      {problem && !isSilent && <ProblemLine problem={problem} />}
    </li>
  );
});
