// Nearer, farther, everything: the buttons over a drawing.
import { Button, makeStyles, tokens, Tooltip } from '@fluentui/react-components';
import { AddRegular, FullScreenMaximizeRegular, SubtractRegular } from '@fluentui/react-icons';
import type { RefObject } from 'react';
import type { MapCanvasHandle } from './MapCanvas';

const useStyles = makeStyles({
  zoom: { position: 'absolute', right: '12px', bottom: '12px', display: 'flex', flexDirection: 'column', gap: '4px', zIndex: 1 },
  float: { boxShadow: tokens.shadow4 },
});

export function ZoomButtons({ canvas }: { canvas: RefObject<MapCanvasHandle> }) {
  const styles = useStyles();
  return (
    <div className={styles.zoom} role="group" aria-label="Zoom">
      <Tooltip content="Nearer (+)" relationship="label"><Button className={styles.float} icon={<AddRegular />} onClick={() => canvas.current?.zoom(1.3)} /></Tooltip>
      <Tooltip content="Farther (−)" relationship="label"><Button className={styles.float} icon={<SubtractRegular />} onClick={() => canvas.current?.zoom(1 / 1.3)} /></Tooltip>
      <Tooltip content="Show everything (0)" relationship="label"><Button className={styles.float} icon={<FullScreenMaximizeRegular />} onClick={() => canvas.current?.fit()} /></Tooltip>
    </div>
  );
}
