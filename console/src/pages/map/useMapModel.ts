// From the server's answer and the page's address to the picture that is drawn.
import { useCallback, useMemo, useState } from 'react';
import type { MapData } from '../../api/map';
import { shownOf, type Shown } from './graph/filter';
import { groupMachines, type Grouping } from './graph/grouping';
import { pictureOf, type Picture } from './graph/picture';
import { search } from './graph/search';
import { machineOf, nameOfEnd, worldOf, type World } from './graph/world';
import type { MapView } from './viewState';

export interface MapModel {
  world: World;
  /** The focus's id; undefined without one, or where it is not in this window. */
  focus: string | undefined;
  focusName: string | undefined;
  matches: ReadonlySet<string> | undefined;
  shown: Shown;
  grouping: Grouping;
  picture: Picture;
  toggle: (box: string) => void;
  openAll: () => void;
  closeAll: () => void;
  /** Opens what hides a machine or process. */
  uncover: (id: string) => void;
}

export function useMapModel(data: MapData, view: MapView): MapModel {
  const world = useMemo(() => worldOf(data), [data]);
  const focus = useMemo(() => resolved(world, view.focus), [world, view.focus]);
  const matches = useMemo(() => search(world, view.text), [world, view.text]);
  const { upstream, downstream, onlyMatches, onlyFailed, onlyProblems, onlyConnected } = view;
  const shown = useMemo(
    () => shownOf(world, focus, matches, { upstream, downstream, onlyMatches, onlyFailed, onlyProblems, onlyConnected }),
    [world, focus, matches, upstream, downstream, onlyMatches, onlyFailed, onlyProblems, onlyConnected],
  );
  const focusMachine = focus === undefined ? undefined : machineOf(world, focus);
  const grouping = useMemo(() => {
    const machines = world.data.machines.filter((machine) => machine.id !== focusMachine && (shown.members === undefined || shown.members.has(machine.id)));
    return groupMachines(world, machines, view.groupBy);
  }, [world, shown, view.groupBy, focusMachine]);
  // What a person opened or closed; the machine in focus is open unless it was closed.
  const [choices, setChoices] = useState<ReadonlyMap<string, boolean>>(new Map());
  const open = useMemo(() => {
    const boxes = new Set([...choices].filter(([, isOpen]) => isOpen).map(([id]) => id));
    if (focusMachine !== undefined && choices.get(focusMachine) !== false) boxes.add(focusMachine);
    return boxes;
  }, [choices, focusMachine]);
  const picture = useMemo(() => pictureOf(world, { edges: shown.edges, members: shown.members, grouping, open }), [world, shown, grouping, open]);
  const choose = useCallback((ids: readonly string[], isOpen: boolean) => setChoices((was) => new Map([...was, ...ids.map((id) => [id, isOpen] as const)])), []);
  return {
    world, focus, matches, shown, grouping, picture,
    focusName: view.focus === undefined ? undefined : focus === undefined ? view.focus : nameOfFocus(world, focus),
    toggle: useCallback((box) => choose([box], !open.has(box)), [choose, open]),
    openAll: useCallback(() => choose([...grouping.names.keys(), ...world.machines.keys()], true), [choose, grouping, world]),
    closeAll: useCallback(() => choose([...grouping.names.keys(), ...world.machines.keys()], false), [choose, grouping, world]),
    uncover: useCallback((id) => {
      const machine = machineOf(world, id);
      if (machine === undefined) return;
      const group = grouping.groupOf.get(machine);
      const hidden = [...(group !== undefined && !open.has(group) ? [group] : []), ...(machine !== id && !open.has(machine) ? [machine] : [])];
      if (hidden.length > 0) choose(hidden, true);
    }, [world, grouping, open, choose]),
  };
}

/** The focus may be named by id, or a machine by one of its names: other pages know no ids. */
function resolved(world: World, focus: string | undefined): string | undefined {
  if (focus === undefined) return undefined;
  if (world.machines.has(focus) || world.processes.has(focus) || world.clientGroups.has(focus) || world.portGroups.has(focus)) return focus;
  const name = focus.toLowerCase();
  return world.data.machines.find((machine) => machine.name.toLowerCase() === name || machine.fullName.toLowerCase() === name)?.id;
}

function nameOfFocus(world: World, focus: string): string {
  const machine = machineOf(world, focus);
  return machine === undefined || machine === focus ? nameOfEnd(world, focus) : `${nameOfEnd(world, focus)} on ${world.machines.get(machine)?.name ?? ''}`;
}
