// The map: who talks to whom in a window of time.
import { Button } from '@fluentui/react-components';
import { useMap } from '../../api/map';
import { Page } from '../../components/Page';
import { ErrorState, LoadingState } from '../../components/States';
import { MapContent } from './MapContent';
import { useMapView } from './viewState';

export default function MapPage() {
  const [view, change] = useMapView();
  const map = useMap(view.minutes, view.to, view.within);
  const summary = map.data && [counted(map.data.machines.length, 'machine', 'machines'), counted(map.data.processes.length, 'process', 'processes'), counted(map.data.edges.length, 'connection', 'connections')].join(' · ');
  return (
    <Page title="Map" summary={summary}>
      {map.isPending && <LoadingState label="Reading who talks to whom" />}
      {map.isError && <ErrorState error={map.error} retry={() => void map.refetch()} />}
      {map.isError && view.within !== undefined && <div><Button size="small" onClick={() => change({ within: undefined })}>Show all machines</Button></div>}
      {map.data && <MapContent data={map.data} isStale={map.isPlaceholderData} view={view} change={change} />}
    </Page>
  );
}

function counted(number: number, one: string, many: string): string {
  return `${number.toLocaleString()} ${number === 1 ? one : many}`;
}
