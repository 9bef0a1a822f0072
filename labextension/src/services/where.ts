import { IDeployment } from '../api';
import { IState } from '../state/state';

/** The part of a deployment that says where. */
export type Where = Pick<IDeployment, 'place' | 'profile'>;

/**
 * Where a model can be deployed, each in words, the first as it is where nobody picks: where its service is, if it has
 * one; else this machine, and each profile by which services are made elsewhere.
 */
export function whereToServe(
  state: Pick<IState, 'places' | 'profiles' | 'services'>,
  model: string
): { words: string; where: Where }[] {
  const { places, profiles, services } = state;
  const there = profiles.filter(({ profile }) => places.get(profile.place)?.has_services);
  if (there.length === 0 || services.some(service => service.name === model)) {
    return [{ words: '', where: {} }];
  }
  return [
    { words: places.get('local')?.title ?? 'local', where: { place: 'local' } },
    ...there.map(({ profile: { name, title, place } }) => {
      const words = [places.get(place)!.title, title || name];
      return { words: [...new Set(words)].join(' · '), where: { place, profile: name } };
    })
  ];
}
