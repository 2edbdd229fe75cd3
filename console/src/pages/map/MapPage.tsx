// The map: who talks to whom in a window of time.
import { useMap } from '../../api/map';
import { Page } from '../../components/Page';
import { ErrorState, LoadingState } from '../../components/States';
import { MapContent } from './MapContent';
import { useMapView } from './viewState';

export default function MapPage() {
  const [view, change] = useMapView();
  const map = useMap(view.minutes, view.to);
  const summary = map.data && [counted(map.data.machines.length, 'machine', 'machines'), counted(map.data.processes.length, 'process', 'processes'), counted(map.data.edges.length, 'connection', 'connections')].join(' · ');
  return (
    <Page title="Map" summary={summary}>
      {map.isPending && <LoadingState label="Reading who talks to whom" />}
      {map.isError && <ErrorState error={map.error} retry={() => void map.refetch()} />}
      {map.data && <MapContent data={map.data} isStale={map.isPlaceholderData} view={view} change={change} />}
    </Page>
  );
}

function counted(number: number, one: string, many: string): string {
  return `${number.toLocaleString()} ${number === 1 ? one : many}`;
}
