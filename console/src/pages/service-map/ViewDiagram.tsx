// The drawn distributed application: the map's drawing with the members of a view.
import { Button, makeStyles, MessageBar, MessageBarBody, MessageBarTitle, tokens } from '@fluentui/react-components';
import { PinOffRegular } from '@fluentui/react-icons';
import { useCallback, useMemo, useRef, useState } from 'react';
import type { ViewDetails } from '../../api/serviceMap';
import { healthWords } from '../../components/HealthIcon';
import { LoadingState } from '../../components/States';
import type { Hit } from '../map/draw/geometry';
import { useLayout } from '../map/layout/useLayout';
import { MapCanvas, type MapCanvasHandle } from '../map/MapCanvas';
import { usePins } from '../map/pins';
import { ZoomButtons } from '../map/ZoomButtons';
import { classWords, viewModel } from './viewPicture';

const useStyles = makeStyles({
  main: { position: 'relative', height: '100%', minHeight: '280px', overflow: 'hidden' },
  float: { boxShadow: tokens.shadow4 },
  unpin: { position: 'absolute', left: '12px', bottom: '12px', zIndex: 1 },
  error: { position: 'absolute', left: '12px', right: '12px', top: '12px', zIndex: 1 },
});

const keys = 'Arrow keys go from box to box, Enter opens or closes one, F opens its page, P pins it, plus and minus zoom, 0 shows everything, Escape clears the selection. The list has the same members as a table.';

interface ViewDiagramProps {
  view: ViewDetails;
  selected: string | undefined;
  onSelect: (id: string | undefined) => void;
  /** The member's own page. */
  onOpen: (id: string) => void;
}

export function ViewDiagram({ view, selected, onSelect, onOpen }: ViewDiagramProps) {
  const styles = useStyles();
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
  const model = useMemo(() => viewModel(view, open), [view, open]);
  const { picture, members } = model;
  const pins = usePins(`view.${view.object}`);
  const { placed, error } = useLayout(pins.isPending ? undefined : picture, pins.pins);
  const canvas = useRef<MapCanvasHandle>(null);
  const toggle = useCallback((box: string) => setOpen((was) => (was.has(box) ? new Set([...was].filter((one) => one !== box)) : new Set([...was, box]))), []);
  const describe = useCallback((hit: Hit) => {
    const nameOf = (end: { box: string; row: string | undefined }) => members.get(end.row ?? end.box)?.name ?? end.box;
    if (hit.kind === 'link') return `${nameOf(hit.link.source)} → ${nameOf(hit.link.target)}\n${hit.link.ports.length === 1 ? 'port' : 'ports'} ${hit.link.ports.join(', ')}`;
    const member = members.get(hit.row ?? hit.box.id);
    if (!member) return hit.box.title;
    const lines = (isIn: boolean) => picture.links.filter((link) => (isIn ? link.target : link.source).box === hit.box.id && link.source.box !== link.target.box).length;
    return [member.name, classWords(member.class), healthWords[member.health], member.from === 'person' ? 'added by a person' : '', `${lines(true)} in, ${lines(false)} out`].filter((part) => part !== '').join('\n');
  }, [members, picture]);
  const problem = error ?? (pins.error instanceof Error ? pins.error.message : undefined);
  return (
    <div className={styles.main}>
      {problem !== undefined && <div className={styles.error}><MessageBar intent="error"><MessageBarBody><MessageBarTitle>{error ? 'The layout failed' : 'Pins are not kept'}</MessageBarTitle>{problem}</MessageBarBody></MessageBar></div>}
      {placed ? (
        <>
          <MapCanvas
            ref={canvas} placed={placed} label={`Diagram of ${view.name}: ${picture.boxes.length} boxes and ${picture.links.length} lines`} keys={keys} selected={selected} matches={undefined}
            pins={pins.pins} seconds={1} fitKey={view.object} describe={describe} onSelect={onSelect} onToggle={toggle} onFocus={onOpen} onPin={pins.pin} onUnpin={pins.unpin}
          />
          {Object.keys(pins.pins).length > 0 && <div className={styles.unpin}><Button size="small" className={styles.float} icon={<PinOffRegular />} onClick={pins.unpinAll}>Unpin all</Button></div>}
          <ZoomButtons canvas={canvas} />
        </>
      ) : <LoadingState label="Arranging the diagram" />}
    </div>
  );
}
