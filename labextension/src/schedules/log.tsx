import React from 'react';

import { Log } from '../controls/log';
import { ProblemLine } from '../controls/problem';
import { useFetched, useLooks } from '../details/fetched';
import { useMlops, useSelector } from '../state/hooks';

/** Milliseconds between two looks at a log that is written. */
const PERIOD = 3000;

/** What the last run of a notebook that runs by itself printed; followed while it runs. */
export function ScheduleLog({ id }: { id: string }): JSX.Element {
  const { store, trans } = useMlops();
  const schedule = useSelector(state => state.schedules.schedules.find(each => each.id === id));
  const looks = useLooks(PERIOD);
  const key = `${id} ${schedule?.began} ${schedule?.phase === 'running' ? looks : 'over'}`;
  const { value, problem } = useFetched(key, () => store.api.scheduleLog(id));
  return (
    <div className="jp-mlops-schedule-log">
      {problem && <ProblemLine problem={problem} />}
      {value && (
        <Log
          label={trans.__('What its last run printed')}
          className="jp-mlops-prints"
          handle="schedule-log"
          seen={value}
        >
          {value.length > 0 ? value.join('\n') : trans.__('Nothing was printed.')}
        </Log>
      )}
    </div>
  );
}
