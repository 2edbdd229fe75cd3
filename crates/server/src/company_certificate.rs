//! The certificate of a company's authority that was imported for this server: agents that trust that authority see it,
//! others the management group's own. A new one is taken while the server runs.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use watchkeeper_certificates::{Identity, Role};
use watchkeeper_management::ManagementServer;
use watchkeeper_wire::Credentials;

const LOOK: Duration = Duration::from_secs(5);

/// Takes what is imported now, and what is imported later.
pub fn follow(data: &Path, management: Arc<ManagementServer>, stop: CancellationToken) -> JoinHandle<()> {
    let identity = Identity::new(&data.join("certificates"), Role::Server);
    let mut present = take(&identity, &management, None);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
            present = take(&identity, &management, present);
        }
    })
}

/// Takes the imported certificate unless it is the present one; gives the one that holds then.
fn take(identity: &Identity, management: &ManagementServer, present: Option<String>) -> Option<String> {
    match identity.imported() {
        Ok(Some((chain_pem, key_pem))) if present.as_ref() != Some(&chain_pem) => {
            let credentials = Credentials { chain_pem: chain_pem.clone(), key_pem };
            match management.set_company_certificate(Some(&credentials)) {
                Ok(()) => tracing::info!("the imported certificate of this server is in use"),
                Err(error) => tracing::error!(%error, "the imported certificate of this server cannot be used"),
            }
            Some(chain_pem)
        }
        Ok(_) => present,
        Err(error) => {
            tracing::error!(%error, "the imported certificate of this server cannot be read");
            present
        }
    }
}
