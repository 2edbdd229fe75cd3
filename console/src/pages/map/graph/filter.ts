// What of a map is shown at all: the focus first, then the filters.
import type { MapEdge, MapMachine } from '../../../api/map';
import type { MapView } from '../viewState';
import { neighbourhood } from './focus';
import { machineOf, type World } from './world';

export interface Shown {
  edges: readonly MapEdge[];
  /** Machines, client groups and port groups; undefined for all. */
  members: ReadonlySet<string> | undefined;
}

type Filters = Pick<MapView, 'upstream' | 'downstream' | 'onlyMatches' | 'onlyFailed' | 'onlyProblems' | 'onlyConnected'>;

/** `focus` is the id of something in this world; `matches` is what the search found. */
export function shownOf(world: World, focus: string | undefined, matches: ReadonlySet<string> | undefined, view: Filters): Shown {
  let shown: Shown = { edges: world.data.edges, members: undefined };
  if (focus !== undefined) {
    const near = neighbourhood(world, { id: focus, upstream: view.upstream, downstream: view.downstream });
    shown = { edges: near.edges, members: near.members };
  }
  const keep = (edges: readonly MapEdge[], start: Iterable<string>) => {
    const members = new Set<string>(start);
    for (const edge of edges) for (const end of [edge.source, edge.target]) members.add(machineOf(world, end) ?? end);
    shown = { edges, members };
  };
  if (view.onlyFailed) keep(shown.edges.filter((edge) => edge.links.failed > 0), focus === undefined ? [] : [machineOf(world, focus) ?? focus]);
  if (view.onlyConnected) keep(shown.edges, focus === undefined ? [] : [machineOf(world, focus) ?? focus]);
  if (view.onlyProblems) {
    const bad = new Set(members(world, shown).filter(hasProblem).map((machine) => machine.id));
    keep(shown.edges.filter((edge) => touches(world, edge, bad)), bad);
  }
  if (view.onlyMatches && matches) {
    const found = new Set(members(world, shown).filter((machine) => matches.has(machine.id)).map((machine) => machine.id));
    // A search for a process or port keeps its own connections, not all those of its machine.
    const fine = new Set([...matches].filter((id) => !world.machines.has(id)));
    const throughEnds = new Set([...fine].flatMap((id) => world.processes.get(id)?.machine ?? []));
    const edges = shown.edges.filter((edge) => fine.has(edge.source) || fine.has(edge.target) || [edge.source, edge.target].some((end) => {
      const machine = machineOf(world, end);
      return machine !== undefined && found.has(machine) && !throughEnds.has(machine);
    }));
    keep(edges, [...found, ...[...fine].filter((id) => !world.processes.has(id))]);
  }
  return shown;
}

function members(world: World, shown: Shown): MapMachine[] {
  return world.data.machines.filter((machine) => shown.members === undefined || shown.members.has(machine.id));
}

/** Something that a person should look at: bad health or an open alert. */
export function hasProblem(machine: MapMachine): boolean {
  const { critical, warning } = machine.alerts ?? { critical: 0, warning: 0 };
  return machine.health === 'Error' || machine.health === 'Warning' || critical + warning > 0;
}

function touches(world: World, edge: MapEdge, machines: ReadonlySet<string>): boolean {
  return [edge.source, edge.target].some((end) => {
    const machine = machineOf(world, end);
    return machine !== undefined && machines.has(machine);
  });
}
