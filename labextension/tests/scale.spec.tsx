import { fireEvent } from '@testing-library/react';

import { CommandIDs } from '../src/commands';
import { MlopsError } from '../src/request';

import { cluster, group, idOf, operation } from './examples';
import { panel, standStill } from './shown';
import { find } from './stage';

standStill();

describe('Scale', () => {
  it('sends five clicks as one request, and shows the number at once', async () => {
    const stage = await panel({ clusters: [cluster()] });
    const wanted = find('wanted') as HTMLInputElement;
    for (let click = 0; click < 5; click++) {
      await stage.after(() => find('more').click(), 20);
    }
    expect(wanted.value).toBe('13');
    expect(stage.api.asked).toEqual([]);
    await stage.after(() => undefined, 600);
    expect(stage.api.asked).toEqual([['scale', idOf(), 'default', 13]]);
    expect(wanted.dataset.pending).toBeDefined();
    const value = cluster({ groups: [group({ wanted: 13 })] });
    await stage.after(() => stage.stream.change(2, { noun: 'cluster', id: idOf(), value }));
    expect(wanted.value).toBe('13');
    expect(wanted.dataset.pending).toBeUndefined();
  });

  it.each([
    ['takes', 0],
    ['takes another number than', 1],
    ['keeps its number instead of', 8]
  ])('shows what the cluster wants as soon as it %s what was asked for', async (_, kept) => {
    const stage = await panel({ clusters: [cluster()] });
    const wanted = find('wanted') as HTMLInputElement;
    await stage.after(() => fireEvent.change(wanted, { target: { value: '0' } }), 20);
    await stage.after(() => fireEvent.blur(wanted), 20);
    await stage.after(() => undefined, 600);
    expect(stage.api.asked).toEqual([['scale', idOf(), 'default', 0]]);
    expect(wanted.value).toBe('0');
    const value = cluster({ groups: [group({ wanted: kept })] });
    const taken = operation({ progress: 0.5 });
    await stage.after(() =>
      stage.stream.change(
        2,
        { noun: 'cluster', id: idOf(), value },
        { noun: 'operation', id: taken.id, value: taken }
      )
    );
    expect(wanted.value).toBe(String(kept));
    expect(wanted.dataset.pending).toBeUndefined();
  });

  it('keeps a later number while an earlier one is answered, even if they are equal', async () => {
    const stage = await panel({ clusters: [cluster()] });
    const wanted = find('wanted') as HTMLInputElement;
    await stage.after(() => find('more').click(), 20);
    await stage.after(() => undefined, 600);
    await stage.after(() => find('more').click(), 20);
    await stage.after(() => find('fewer').click(), 20);
    const taken = operation({ progress: 0.5 });
    await stage.after(
      () => stage.stream.change(2, { noun: 'operation', id: taken.id, value: taken }),
      200
    );
    expect(wanted.value).toBe('9');
    await stage.after(() => undefined, 600);
    expect(stage.api.asked).toHaveLength(2);
  });

  it('stays within the group’s bounds', async () => {
    const stage = await panel({ clusters: [cluster({ groups: [group({ wanted: 16 })] })] });
    expect((find('more') as HTMLButtonElement).disabled).toBe(true);
    const wanted = find('wanted') as HTMLInputElement;
    await stage.after(() => fireEvent.change(wanted, { target: { value: '99' } }));
    await stage.after(() => fireEvent.blur(wanted));
    expect(wanted.value).toBe('16');
  });

  it('goes back, and says why, when it is refused', async () => {
    const stage = await panel({ clusters: [cluster()] });
    stage.api.refusal = new MlopsError('ClusterEnded', 'It is stopping');
    await stage.after(() => find('more').click(), 20);
    await stage.after(() => undefined, 600);
    expect((find('wanted') as HTMLInputElement).value).toBe('8');
    expect(find('problem').textContent).toContain('It is stopping');
  });

  it('shows an operation that failed later', async () => {
    const stage = await panel({ clusters: [cluster()] });
    const problem = { what: 'Quota is used up', why: '', todo: '' };
    const value = operation({ phase: 'failed', problem });
    await stage.after(() => stage.stream.change(2, { noun: 'operation', id: 'o1', value }));
    expect(find('problem').textContent).toContain('Quota is used up');
  });

  it('lets the number follow the work between bounds', async () => {
    const stage = await panel({ clusters: [cluster()] });
    await stage.after(() => find('auto').click());
    expect(stage.api.asked).toEqual([['adapt', idOf(), 'default', 0, 16]]);
    const value = cluster({ groups: [group({ adaptive: true })] });
    await stage.after(() => stage.stream.change(2, { noun: 'cluster', id: idOf(), value }));
    expect((find('wanted') as HTMLInputElement).disabled).toBe(true);
    const maximum = find('maximum') as HTMLInputElement;
    await stage.after(() => {
      fireEvent.change(maximum, { target: { value: '6' } });
      fireEvent.keyDown(maximum, { key: 'Enter' });
    });
    expect(stage.api.asked[1]).toEqual(['adapt', idOf(), 'default', 0, 6]);
  });

  it('offers only what a cluster that others made can do', async () => {
    await panel({ clusters: [cluster({ commands: ['stop'] })] });
    expect(document.querySelector('[data-mlops="scale"]')).toBeNull();
    expect((find('use') as HTMLButtonElement).disabled).toBe(true);
    expect((find('stop') as HTMLButtonElement).disabled).toBe(false);
  });

  it('says who made a cluster of others, and who stops a release of Helm', async () => {
    const commands = ['scale', 'run'];
    const autoscaled = group({ adaptive: true, minimum: 1, maximum: 5, wanted: 2 });
    const survey = {
      name: 'survey',
      place: 'kubernetes',
      maker: 'helm',
      owner: '',
      commands
    } as const;
    const stage = await panel({ clusters: [cluster({ ...survey, groups: [autoscaled] })] });
    expect(find('place').textContent).toBe('Kubernetes · helm');
    expect(find('place').title).toBe('It was made with helm, not from here.');
    expect(document.querySelector('[data-mlops="will-stop"]')).toBeNull();
    expect(document.querySelector('[data-mlops="auto"]')).toBeNull();
    expect(find('autoscaled').textContent).toBe('scaled by its own autoscaler, 1–5');
    expect((find('stop') as HTMLButtonElement).disabled).toBe(true);
    expect(find('stop').title).toMatch(/`helm uninstall survey` stops it/);
    await stage.after(() => find('more', find('scale')).click(), 20);
    await stage.after(() => undefined, 600);
    expect(stage.api.asked[0]).toEqual(['scale', idOf('survey', 'kubernetes'), 'default', 3]);
  });

  it('tells clusters of one name apart, one’s own first, and acts on the very one', async () => {
    const mine = cluster({ id: 'flights.local~1', created: 1 });
    const theirs = {
      id: 'flights.ml.kubernetes~2',
      place: 'kubernetes',
      owner: 'bob',
      mine: false
    };
    const stage = await panel({ clusters: [cluster({ ...theirs, created: 2 }), mine] });
    const cards = [...document.querySelectorAll<HTMLElement>('[data-mlops="cluster"]')];
    expect(cards.map(card => find('place', card).textContent)).toEqual([
      'this machine',
      'Kubernetes · bob'
    ]);
    expect(find('place', cards[1]).title).toBe('It belongs to bob, not to you.');
    expect(find('details', cards[1]).title).toMatch(/^Details of flights\.ml\.kubernetes /);
    await stage.after(() => find('more-actions', cards[1]).click());
    const [details] = document.querySelectorAll('.lm-Menu-item');
    await stage.after(() => fireEvent.keyDown(details, { keyCode: 13 }));
    expect(stage.executed).toEqual([
      [CommandIDs.openDetails, { cluster: 'flights.ml.kubernetes~2' }]
    ]);
    await stage.after(() => find('stop', cards[1]).click());
    expect(find('others-warning').textContent).toMatch(/belongs to bob.*may be using it/);
    const accept = document.querySelector<HTMLElement>('.jp-Dialog-footer .jp-mod-warn');
    await stage.after(() => accept!.click());
    expect(stage.api.asked).toEqual([['stop', 'flights.ml.kubernetes~2', false]]);
  });

  it('warns before it stops what somebody else made', async () => {
    const made = { maker: 'KubeCluster', commands: ['scale', 'stop', 'run'] };
    const stage = await panel({ clusters: [cluster(made)] });
    await stage.after(() => find('stop').click());
    expect(find('others-warning').textContent).toMatch(/made with KubeCluster.*may be using it/);
    expect(find('stop-dialog').textContent).not.toMatch(/receipt/);
    const [cancel] = document.querySelectorAll<HTMLElement>('.jp-Dialog-footer .jp-mod-reject');
    await stage.after(() => cancel.click());
    expect(stage.api.asked).toEqual([]);
  });
});
