import React, { useState } from 'react';

import { Clusters } from '../cluster/list';
import { StartButton } from '../cluster/start';
import { Runs } from '../run/list';
import { Models } from '../models/list';
import { Money } from '../money/section';
import { ScheduleSection } from '../schedules/list';
import { ServiceSection } from '../services/list';
import { useMlops, useSelector } from '../state/hooks';
import { Announcer } from './announcer';
import { Banner } from './banner';
import { Filter } from './filter';

/** Clusters, runs, models, services and schedules up to which all can be seen at a glance. */
const FEW = 8;

/** What the sidebar shows. */
export function Panel(): JSX.Element {
  const { trans } = useMlops();
  const isMany = useSelector(
    ({ clusters, runs, models, services, schedules: { schedules } }) =>
      clusters.size + runs.size + models.length + services.length + schedules.length > FEW
  );
  const [typed, setTyped] = useState('');
  const wanted = isMany ? typed.trim() : '';
  return (
    <>
      <div className="jp-mlops-header">
        <h2>{trans.__('ML Ops')}</h2>
        <StartButton />
      </div>
      <Banner />
      {isMany && <Filter value={typed} onChange={setTyped} />}
      <div className="jp-mlops-body" tabIndex={-1}>
        <Clusters wanted={wanted} />
        <Runs wanted={wanted} />
        <Models wanted={wanted} />
        <ServiceSection wanted={wanted} />
        <ScheduleSection wanted={wanted} />
        <Money />
      </div>
      <Announcer />
    </>
  );
}
