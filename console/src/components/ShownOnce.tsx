// A value that is shown this once, to be copied.
import { Button, Dialog, DialogActions, DialogBody, DialogContent, DialogSurface, DialogTitle, makeStyles, Text } from '@fluentui/react-components';
import { CopyRegular } from '@fluentui/react-icons';
import { useState, type ReactNode } from 'react';
import { Preformatted } from './Page';

const useStyles = makeStyles({ content: { display: 'flex', flexDirection: 'column', gap: '10px' } });

interface ShownOnceProps {
  title: string;
  label: string;
  value: string;
  /** What stands before the value. */
  intro?: ReactNode;
  children: ReactNode;
  onDone: () => void;
}

export function ShownOnce({ title, label, value, intro, children, onDone }: ShownOnceProps) {
  const styles = useStyles();
  const [copied, setCopied] = useState<'copied' | 'failed'>();
  const copy = () => navigator.clipboard.writeText(value).then(() => setCopied('copied'), () => setCopied('failed'));
  return (
    <Dialog open modalType="alert" onOpenChange={onDone}>
      <DialogSurface>
        <DialogBody>
          <DialogTitle>{title}</DialogTitle>
          <DialogContent className={styles.content}>
            {intro}
            <Preformatted label={label}>{value}</Preformatted>
            {children}
            {copied && <Text role="status">{copied === 'copied' ? 'Copied.' : 'The browser does not let this page copy: select the text and copy it by hand.'}</Text>}
          </DialogContent>
          <DialogActions>
            <Button icon={<CopyRegular />} onClick={() => void copy()}>Copy</Button>
            <Button appearance="primary" onClick={onDone}>Done</Button>
          </DialogActions>
        </DialogBody>
      </DialogSurface>
    </Dialog>
  );
}
