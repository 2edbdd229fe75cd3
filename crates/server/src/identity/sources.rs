//! Who else knows people: the providers and directories of the configuration file, and those that administrators add, which
//! are kept in the store and hold on every server over it. Their names are what users are told apart by.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::ensure;
use parking_lot::Mutex;
use serde::Serialize;
use serde::de::DeserializeOwned;
use watchkeeper_state::{State, StateError};

use super::directories::{self, Directory};
use super::providers::{self, Provider};
use crate::config::{DirectoryConfig, IdentityConfig, ProviderConfig};

/// The settings with what administrators have added begin with these; the name follows.
const PROVIDERS: &str = "identity.added_providers.";
const DIRECTORIES: &str = "identity.added_directories.";
const ADDED: &str = "identity.added_";

/// All that people can sign in through.
#[derive(Clone, Default)]
pub struct Known {
    pub providers: Vec<Arc<Provider>>,
    pub directories: Vec<Arc<Directory>>,
}

impl Known {
    pub fn provider(&self, name: &str) -> Option<&Arc<Provider>> {
        self.providers.iter().find(|provider| provider.config.name == name)
    }

    pub fn directory(&self, name: &str) -> Option<&Arc<Directory>> {
        self.directories.iter().find(|directory| directory.config.name == name)
    }
}

/// Reads the store's part again whenever it has changed.
pub struct Sources {
    configured: Known,
    /// What the store had, and all that followed from it.
    added: Mutex<(Vec<(String, String)>, Known)>,
}

impl Sources {
    /// # Errors
    /// When the configuration has a name twice, or something that cannot be used.
    pub fn new(config: &IdentityConfig) -> anyhow::Result<Sources> {
        let mut configured = Known::default();
        let mut names = BTreeSet::new();
        for one in &config.providers {
            ensure!(names.insert(&one.name), "identity.providers has {:?} twice", one.name);
            configured.providers.push(Arc::new(Provider::new(one.clone())?));
        }
        for one in &config.directories {
            let twice = "identity.providers and identity.directories have";
            ensure!(names.insert(&one.name), "{twice} {:?} twice", one.name);
            configured.directories.push(Arc::new(Directory::new(one.clone())?));
        }
        let added = Mutex::new((Vec::new(), configured.clone()));
        Ok(Sources { configured, added })
    }

    /// Whether the configuration file has it: then it is changed there.
    pub fn is_configured(&self, name: &str) -> bool {
        self.configured.provider(name).is_some() || self.configured.directory(name).is_some()
    }

    /// All of the configuration and the store. A name of the configuration is not taken by the store.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn known(&self, state: &State) -> Result<Known, StateError> {
        let stored = state.settings_below(ADDED).await?;
        let mut added = self.added.lock();
        if added.0 != stored {
            added.1 = self.with(&stored);
            added.0 = stored;
        }
        Ok(added.1.clone())
    }

    fn with(&self, stored: &[(String, String)]) -> Known {
        let mut known = self.configured.clone();
        for (setting, document) in stored {
            let name = setting.strip_prefix(PROVIDERS).or_else(|| setting.strip_prefix(DIRECTORIES));
            if name.is_none_or(|name| self.is_configured(name)) {
                continue;
            }
            let taken = match setting.starts_with(PROVIDERS) {
                true => read::<ProviderConfig>(document)
                    .and_then(Provider::new)
                    .map(|provider| known.providers.push(Arc::new(provider))),
                false => read::<DirectoryConfig>(document)
                    .and_then(Directory::new)
                    .map(|directory| known.directories.push(Arc::new(directory))),
            };
            if let Err(error) = taken {
                tracing::error!(setting, error = format!("{error:#}"), "nobody signs in through it");
            }
        }
        known
    }
}

fn read<T: DeserializeOwned>(document: &str) -> anyhow::Result<T> {
    Ok(serde_json::from_str(document)?)
}

/// Adds or changes a provider.
///
/// # Errors
/// When the store cannot be written.
pub async fn put_provider(state: &State, config: &ProviderConfig) -> Result<(), StateError> {
    put(state, PROVIDERS, &config.name, config).await
}

/// Adds or changes a directory.
///
/// # Errors
/// When the store cannot be written.
pub async fn put_directory(state: &State, config: &DirectoryConfig) -> Result<(), StateError> {
    put(state, DIRECTORIES, &config.name, config).await
}

async fn put<T: Serialize>(state: &State, prefix: &str, name: &str, config: &T) -> Result<(), StateError> {
    let document = serde_json::to_string(config).unwrap_or_default();
    state.put_setting(&format!("{prefix}{name}"), &document).await
}

/// Removes what administrators have added under a name, with its secret.
///
/// # Errors
/// When the store cannot be written.
pub async fn remove(state: &State, name: &str) -> Result<(), StateError> {
    state.remove_setting(&format!("{PROVIDERS}{name}")).await?;
    state.remove_setting(&format!("{DIRECTORIES}{name}")).await?;
    state.remove_setting(&providers::secret_setting(name)).await?;
    state.remove_setting(&directories::secret_setting(name)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_added_holds_beside_the_configuration_until_it_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::open_embedded(dir.path()).await.unwrap();
        let provider = |name: &str, issuer: &str| ProviderConfig {
            name: name.into(),
            issuer: issuer.into(),
            client_id: "wk".into(),
            ..ProviderConfig::default()
        };
        let mut config = IdentityConfig::default();
        config.providers.push(provider("corp", "https://corp.example"));
        let sources = Sources::new(&config).unwrap();
        put_provider(&state, &provider("corp", "https://elsewhere.example")).await.unwrap();
        put_provider(&state, &provider("more", "https://more.example")).await.unwrap();
        put_provider(&state, &provider("broken", "ftp://broken.example")).await.unwrap();
        let known = sources.known(&state).await.unwrap();
        let issuers: Vec<&str> = known.providers.iter().map(|one| one.config.issuer.as_str()).collect();
        assert_eq!(issuers, ["https://corp.example", "https://more.example"], "the configuration's name is its own");
        let again = sources.known(&state).await.unwrap();
        assert!(Arc::ptr_eq(&known.providers[1], &again.providers[1]), "what has not changed keeps what it has read");
        remove(&state, "more").await.unwrap();
        assert!(sources.known(&state).await.unwrap().provider("more").is_none());
        config.providers.push(provider("corp", "https://corp.example"));
        assert!(Sources::new(&config).is_err(), "a name twice");
        state.close().await;
    }
}
