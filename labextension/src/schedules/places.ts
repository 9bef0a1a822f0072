import { IScheduleRequest } from '../api';
import { ScheduleView } from '../state/schema';
import { IState } from '../state/state';
import { whereWords } from '../words/schedule';

/** The part of a request that says where a notebook is to run by itself. */
export type SchedulePlace = Required<Pick<IScheduleRequest, 'place'>> &
  Pick<IScheduleRequest, 'profile' | 'cluster'>;

/** Where a notebook can be had to run by itself, each in words: this machine, and profiles of places that can. */
export interface IOffer {
  words: string;
  where: SchedulePlace;
}

/**
 * What is offered; where the notebook is scheduled already, also as it is.
 */
export function offers(
  state: Pick<IState, 'places' | 'profiles'>,
  before: ScheduleView | null
): IOffer[] {
  const { places, profiles } = state;
  const here = places.get('local')?.title ?? 'local';
  const there = profiles.filter(
    ({ profile: { place } }) => place !== 'local' && places.get(place)?.has_schedules
  );
  const found: IOffer[] = [
    { words: here, where: { place: 'local' } },
    ...there.map(({ profile: { name, title, place } }) => ({
      words: [...new Set([places.get(place)!.title, title || name])].join(' · '),
      where: { place, profile: name }
    }))
  ];
  if (before && chosen(found, before) < 0) {
    const { place, profile, cluster } = before;
    const where = {
      place,
      ...(profile && { profile }),
      ...(cluster !== null && { cluster })
    };
    const words = [place === 'local' ? here : '', whereWords({ ...before, where: '' }, places)];
    found.push({ words: words.filter(Boolean).join(' · '), where });
  }
  return found;
}

/** Which of the offers is how a notebook is scheduled; -1 where none is. */
export function chosen(
  offered: readonly IOffer[],
  { place, profile, cluster }: ScheduleView
): number {
  return offered.findIndex(
    ({ where }) =>
      where.place === place &&
      (where.profile ?? '') === profile &&
      (where.cluster ?? null) === cluster
  );
}
