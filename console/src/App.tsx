// Routes and providers. Pages are loaded when they are first shown, so that sign-in carries no editor and no charts.
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { lazy, Suspense } from 'react';
import { BrowserRouter, Navigate, Route, Routes, useLocation } from 'react-router-dom';
import { ApiError, setSignedOutHandler } from './api/client';
import { useSession } from './api/session';
import { ErrorState, LoadingState } from './components/States';
import { SignInPage } from './pages/sign-in/SignInPage';
import { Shell } from './shell/Shell';
import { ThemeRoot } from './shell/theme';

const HomePage = lazy(() => import('./pages/home/HomePage'));
const LogsPage = lazy(() => import('./pages/logs/LogsPage'));
const MachinesPage = lazy(() => import('./pages/machines/MachinesPage'));
const AlertsPage = lazy(() => import('./pages/alerts/AlertsPage'));
const AlertingPage = lazy(() => import('./pages/alerting/AlertingPage'));
const ItsmPage = lazy(() => import('./pages/itsm/ItsmPage'));
const StatePage = lazy(() => import('./pages/state/StatePage'));
const ObjectPage = lazy(() => import('./pages/objects/ObjectPage'));
const PerformancePage = lazy(() => import('./pages/performance/PerformancePage'));
const MaintenancePage = lazy(() => import('./pages/maintenance/MaintenancePage'));
const AuthoringPage = lazy(() => import('./pages/authoring/AuthoringPage'));
const AdministrationPage = lazy(() => import('./pages/administration/AdministrationPage'));
const MapPage = lazy(() => import('./pages/map/MapPage'));
const ServiceMapPage = lazy(() => import('./pages/service-map/ServiceMapPage'));
const ServiceMapViewPage = lazy(() => import('./pages/service-map/ViewPage'));
const MachinePage = lazy(() => import('./pages/machines/MachinePage'));

const AuthorizePage = lazy(() => import('./pages/sign-in/AuthorizePage'));
const DevicePage = lazy(() => import('./pages/sign-in/DevicePage'));
const SignedOutPage = lazy(() => import('./pages/sign-in/SignedOutPage'));

/** The authority's pages, below the tenant's name. */
const AUTHORIZE = /^\/[^/]+\/oauth2\/(v2\.0\/)?authorize$/;
const LOGOUT = /^\/[^/]+\/oauth2\/(v2\.0\/)?logout$/;

const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      refetchOnWindowFocus: false,
      retry: (count, error) => count < 1 && !(error instanceof ApiError && error.status < 500),
    },
  },
});
setSignedOutHandler(() => queryClient.setQueryData(['session'], null));

export function App() {
  return (
    <QueryClientProvider client={queryClient}>
      <ThemeRoot>
        <BrowserRouter future={{ v7_startTransition: true, v7_relativeSplatPath: true }}>
          <Pages />
        </BrowserRouter>
      </ThemeRoot>
    </QueryClientProvider>
  );
}

function Pages() {
  const session = useSession();
  const { pathname } = useLocation();
  if (session.isPending) return <LoadingState label="Opening Watchkeeper" />;
  if (session.isError) return <ErrorState error={session.error} retry={() => void session.refetch()} />;
  const alone = AUTHORIZE.test(pathname) ? (
    <AuthorizePage session={session.data} />
  ) : LOGOUT.test(pathname) ? (
    <SignedOutPage session={session.data} />
  ) : null;
  if (alone) return <Suspense fallback={<LoadingState label="Loading the page" />}>{alone}</Suspense>;
  if (!session.data) return <SignInPage />;
  if (pathname === '/device') {
    return (
      <Suspense fallback={<LoadingState label="Loading the page" />}>
        <DevicePage session={session.data} />
      </Suspense>
    );
  }
  return (
    <Shell session={session.data}>
      <Suspense fallback={<LoadingState label="Loading the page" />}>
        <Routes>
          <Route path="/" element={<HomePage />} />
          <Route path="/logs" element={<LogsPage />} />
          <Route path="/machines" element={<MachinesPage />} />
          <Route path="/machines/:computer" element={<MachinePage />} />
          <Route path="/map" element={<MapPage />} />
          <Route path="/alerts" element={<AlertsPage />} />
          <Route path="/alerting/:tab?" element={<AlertingPage />} />
          <Route path="/itsm/:tab?" element={<ItsmPage />} />
          <Route path="/state" element={<StatePage />} />
          <Route path="/objects/:object" element={<ObjectPage />} />
          <Route path="/service-map/views/:object" element={<ServiceMapViewPage />} />
          <Route path="/service-map/:tab?" element={<ServiceMapPage />} />
          <Route path="/performance" element={<PerformancePage />} />
          <Route path="/maintenance" element={<MaintenancePage />} />
          <Route path="/authoring/:tab?" element={<AuthoringPage />} />
          <Route path="/administration/:tab?" element={<AdministrationPage />} />
          <Route path="*" element={<Navigate to="/" replace />} />
        </Routes>
      </Suspense>
    </Shell>
  );
}
